# PersonaPlex' server. `docker build --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu .` makes a smaller image for machines
# without a GPU. docs/deploy.md tells how to run it.
FROM python:3.12-slim-bookworm

RUN apt-get update && apt-get install --yes --no-install-recommends make && rm -rf /var/lib/apt/lists/*

WORKDIR /app
COPY . .
ARG TORCH_INDEX=
RUN PIP_NO_CACHE_DIR=1 make install TORCH_INDEX="$TORCH_INDEX"

# The server writes below /data alone: keys, certificates, what clients store, downloaded models.
RUN useradd --uid 10001 --home-dir /data --create-home --shell /usr/sbin/nologin personaplex
USER personaplex
ENV HF_HOME=/data/models
VOLUME /data
EXPOSE 8998

HEALTHCHECK --start-period=10m --interval=30s CMD ["/app/.venv/bin/python", "-c", \
    "import ssl, urllib.request as r; r.urlopen('https://127.0.0.1:8998/health', timeout=5, context=ssl._create_unverified_context())"]
ENTRYPOINT ["/app/.venv/bin/personaplex", "serve", "--host", "0.0.0.0", "--ssl", "/data/tls", "--new-key", "/data/keys.txt", "--data", "/data/library"]
CMD []
