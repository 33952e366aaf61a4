# hopper with its web page and the dispatcher in one container; docs/how-to/deploy-the-web-page.md.
# BASE is any image of Debian's family with Python 3.11 or newer.
ARG BASE=python:3.12-slim

FROM ${BASE} AS build
ENV DEBIAN_FRONTEND=noninteractive PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
# A python3 without venv is Debian's own.
RUN python3 -c 'import ensurepip, venv' \
 || { apt-get update && apt-get install -y --no-install-recommends python3 python3-venv; }
RUN python3 -m venv /build/tools && /build/tools/bin/pip install build
COPY src/hopper/web /build/web
# Front-end files come with the sources where they were built before. Without them, and without npm,
# the image is made all the same: its pages are plain.
RUN [ -e web/static/vendor/stamp.json ] \
 || { apt-get update && apt-get install -y --no-install-recommends npm; } \
 || echo 'no npm: pages will be plain'
COPY . /build/source
RUN /build/tools/bin/python -m build --wheel --outdir /build/dist source
RUN python3 -m venv /opt/hopper \
 && wheel=$(ls /build/dist/*.whl) \
 && /opt/hopper/bin/pip install "$wheel[web]"

FROM ${BASE}
ARG UID=1000
ARG GID=1000
# tini ends and reaps what Ansible leaves behind; ssh asks who a user is, so there is one.
RUN export DEBIAN_FRONTEND=noninteractive \
 && apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates git openssh-client rsync tini \
 && { command -v python3 || apt-get install -y --no-install-recommends python3; } \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --non-unique --gid "$GID" hopper \
 && useradd --non-unique --create-home --uid "$UID" --gid "$GID" --shell /bin/sh hopper \
 && install -d -o hopper -g hopper /srv/hopper
COPY --from=build /opt/hopper /opt/hopper
ENV PATH=/opt/hopper/bin:$PATH \
    HOPPER_CONFIG=/srv/hopper/hopper.yaml \
    LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1
USER hopper
# hopper.yaml, the inventory and the state.
WORKDIR /srv/hopper
VOLUME /srv/hopper
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["python3", "-c", \
  "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health', timeout=8)"]
ENTRYPOINT ["tini", "--"]
CMD ["hopper", "web", "--dispatch", "--host", "0.0.0.0"]
