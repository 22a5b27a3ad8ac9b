# The server: the registry's queries of training, none of its dependencies; torch and faiss, which
# reads the index of a large catalogue, for the CPU.
ARG PYTHON_IMAGE=docker.io/library/python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
# Where torch comes from: PyTorch's wheels for the CPU; empty for the package index alone.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PATH=/opt/venv/bin:${PATH}
WORKDIR /build
# Without packages this installs the dependencies alone: a layer that a change of code keeps.
COPY pyproject.toml LICENSE docker/constraints.txt ./
RUN touch README.md \
    && python -m venv /opt/venv \
    && python -m pip install --constraint constraints.txt setuptools \
    && python -m pip install --constraint constraints.txt --no-build-isolation \
        ${TORCH_INDEX:+--extra-index-url "${TORCH_INDEX}"} ".[serve,postgres,cpu]"
COPY cove cove
COPY app app
COPY migrations migrations
COPY training/__init__.py training/__init__.py
COPY training/registry training/registry
# `cove`, the command, is training's: here it is `python -m app` and `python -m training.registry`.
RUN rm -r build && python -m pip install --no-deps --no-build-isolation --force-reinstall . \
    && python -m pip uninstall --yes pip setuptools \
    && rm /opt/venv/bin/cove

FROM ${PYTHON_IMAGE}
RUN groupadd --gid 10001 cove \
    && useradd --uid 10001 --gid cove --no-create-home --home-dir /tmp --shell /usr/sbin/nologin cove \
    && install --directory --owner=cove --group=cove /artifacts
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OMP_WAIT_POLICY=PASSIVE \
    COVE_ARTIFACTS=/artifacts \
    COVE_HOST=0.0.0.0 \
    COVE_PORT=8000
WORKDIR /artifacts
USER 10001:10001
VOLUME ["/artifacts"]
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-m", "app.health"]
CMD ["python", "-m", "app"]
