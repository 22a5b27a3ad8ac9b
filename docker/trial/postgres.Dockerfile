# A stand-in for the official PostgreSQL image, of Debian's packages: what compose.yaml needs of it.
ARG BASE
FROM ${BASE}
# hadolint ignore=DL3008
RUN groupadd --gid 999 postgres \
    && useradd --uid 999 --gid postgres --no-create-home --home-dir /var/lib/postgresql postgres \
    && apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql \
    && rm -rf /var/lib/apt/lists/* \
    && install --directory --owner=postgres --group=postgres --mode=0700 /var/lib/postgresql/data \
    && ln -s /usr/lib/postgresql/*/bin/* /usr/local/bin/
COPY postgres-entrypoint /usr/local/bin/postgres-entrypoint
ENV PGDATA=/var/lib/postgresql/data
USER 999:999
VOLUME ["/var/lib/postgresql/data"]
ENTRYPOINT ["postgres-entrypoint"]
