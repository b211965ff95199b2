# The default study in a container: `docker build -t medtransfer .`, then `docker run --rm -it medtransfer`.
# For a machine without GPU, `--build-arg PIP_EXTRA_INDEX_URL=…` names an index with torch's CPU wheels: 2 GB and not 7.
FROM python:3.13-slim

RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/*

ARG PIP_EXTRA_INDEX_URL
WORKDIR /medtransfer
COPY . .
RUN make .venv/bin/.ready
ENV PATH=/medtransfer/.venv/bin:$PATH

CMD ["make", "repro"]
