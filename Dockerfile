# One image for every role: the API (with the dashboard), a worker, and the migration step.

# -- The dashboard -----------------------------------------------------------------------------------------------------
FROM node:22-slim AS dashboard
WORKDIR /build/frontend
COPY frontend/package.json frontend/package-lock.json frontend/.npmrc ./
RUN npm ci
COPY frontend/ ./
# Vite writes to ../api/dashboard.
RUN npm run build

# -- The guide ---------------------------------------------------------------------------------------------------------
FROM python:3.11-slim AS guide
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /build
COPY pyproject.toml CHANGELOG.md ./
# What the extra `guide` names, without the package itself.
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['guide'], sep='\\n')" \
    > guide.txt && pip install -r guide.txt
COPY docs/ docs/
COPY examples/ examples/
COPY tools/guide/ tools/guide/
COPY frontend/public/ frontend/public/
RUN python -m sphinx -q -W -b html -c tools/guide -d /tmp/doctrees docs api/guide

# -- The wheel, and everything it depends on, in one virtual environment ------------------------------------------------
FROM python:3.11-slim AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/colt
WORKDIR /build
# Where pip may find further builds of torch, such as CPU-only ones; empty: the default ones, which bring CUDA.
ARG PIP_EXTRA_INDEX_URL=""
COPY pyproject.toml README.md LICENSE ./
# The dependencies first: they are large and change seldom, so this layer is kept from build to build.
RUN mkdir -p api cli client/colt_client colt_core store worker && /opt/colt/bin/pip install '.[service,s3]' \
    && /opt/colt/bin/pip uninstall --yes colt-studio
COPY api/ api/
COPY cli/ cli/
COPY client/ client/
COPY colt_core/ colt_core/
COPY store/ store/
COPY worker/ worker/
COPY --from=dashboard /build/api/dashboard/ api/dashboard/
COPY --from=guide /build/api/guide/ api/guide/
# The build has no git to ask for a tag. Empty: the version that pyproject.toml falls back to.
ARG COLT_VERSION=""
RUN SETUPTOOLS_SCM_PRETEND_VERSION=${COLT_VERSION} /opt/colt/bin/pip install --no-deps .

# -- What runs ---------------------------------------------------------------------------------------------------------
FROM python:3.11-slim AS runtime
# OpenMP, which torch and faiss compute with.
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 colt \
    && install --directory --owner=colt --group=colt --mode=0700 /data /artifacts
COPY --from=packages /opt/colt /opt/colt
ENV PATH=/opt/colt/bin:$PATH PYTHONUNBUFFERED=1 COLT_HOME=/data COLT_HOST=0.0.0.0
USER colt
WORKDIR /data
EXPOSE 8000
# For the API; docker-compose.yml gives every other role its own.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["colt", "api"]
