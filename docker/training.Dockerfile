# The `cove` command: everything but the server, for the CPU or for CUDA.
ARG PYTHON_IMAGE=docker.io/library/python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
# cpu: faiss-cpu; gpu: faiss-gpu, with TORCH_INDEX empty, as the package index's torch has CUDA.
ARG ACCELERATOR=cpu
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PATH=/opt/venv/bin:${PATH}
WORKDIR /build
# Without packages this installs the dependencies alone: a layer that a change of code keeps.
COPY pyproject.toml LICENSE docker/constraints.txt ./
RUN touch README.md \
    && python -m venv /opt/venv \
    && python -m pip install --constraint constraints.txt setuptools \
    && python -m pip install --constraint constraints.txt --no-build-isolation \
        ${TORCH_INDEX:+--extra-index-url "${TORCH_INDEX}"} ".[train,postgres,${ACCELERATOR}]"
COPY cove cove
COPY migrations migrations
COPY training training
RUN rm -r build && python -m pip install --no-deps --no-build-isolation --force-reinstall .

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 cove \
    && useradd --uid 10001 --gid cove --no-create-home --home-dir /tmp --shell /usr/sbin/nologin cove \
    && install --directory --owner=cove --group=cove /artifacts /data
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OMP_WAIT_POLICY=PASSIVE \
    MPLCONFIGDIR=/tmp/matplotlib \
    COVE_ARTIFACTS=/artifacts
WORKDIR /artifacts
USER 10001:10001
VOLUME ["/artifacts", "/data"]
CMD ["cove", "--help"]
