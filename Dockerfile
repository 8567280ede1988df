# pgveil as a container: `docker build -t pgveil .`, or with more: `--build-arg EXTRAS=vault`.
# Mount the configuration, the policy and the keys; nothing is written but the keystore, if that is a file. In a
# container pgveil has to listen on more than its own loopback:
#   docker run --read-only -v ./config:/etc/pgveil:ro -v pgveil-keys:/var/lib/pgveil -p 127.0.0.1:6432:6432 \
#     -e PGVEIL_LISTEN=0.0.0.0:6432 -e PGVEIL_KEYS_LOCAL_FILE=/var/lib/pgveil/keys/master.key \
#     -e PGVEIL_KEYS_KEYSTORE_FILE=/var/lib/pgveil/keys/keystore.json pgveil
# docs/operations.md says more.

FROM python:3.13-slim-bookworm AS build
ARG EXTRAS=""
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY config config
COPY crypto crypto
COPY policy policy
COPY proxy proxy
# pip stays outside of the environment that is kept.
RUN python -m venv --without-pip /opt/pgveil \
 && pip --python /opt/pgveil/bin/python install --no-cache-dir --disable-pip-version-check "pgveil[${EXTRAS}] @ file:///source"

FROM python:3.13-slim-bookworm
COPY --from=build /opt/pgveil /opt/pgveil
# A named volume that is mounted here takes over the owner.
RUN install -d -o 65532 -g 65532 -m 0700 /var/lib/pgveil
ENV PATH=/opt/pgveil/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /var/lib/pgveil
EXPOSE 6432 9632
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:9632/livez', timeout=2)"]
ENTRYPOINT ["pgveil", "serve"]
CMD ["--config", "/etc/pgveil/pgveil.yaml"]
