# bornflow with CP2K on Debian 12, run by an ordinary user without a home folder:
#   docker build --tag bornflow .
#   docker run --rm --volume "$PWD/results:/bornflow/results" bornflow            # make demo
#   docker run --rm bornflow make test
# With support for NVIDIA's accelerators (then `docker run --gpus all …`):
#   docker build --tag bornflow --build-arg ACCELERATOR=cuda13 .
FROM debian:12-slim

RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
        cp2k gcc git libc6-dev libopenblas0-serial make python3 python3-dev python3-pip python3-venv \
    && rm -rf /var/lib/apt/lists/*

RUN useradd --no-create-home --home-dir /nonexistent bornflow && mkdir /bornflow && chown bornflow /bornflow
USER bornflow
WORKDIR /bornflow

COPY --chown=bornflow . .
RUN make env
# The version of jax stays the one of requirements.lock.
ARG ACCELERATOR=""
RUN if [ -n "$ACCELERATOR" ]; then \
        version=$(.venv/bin/python -c "import jax; print(jax.__version__)") \
        && .venv/bin/python -m pip install --no-cache-dir "jax[$ACCELERATOR]==$version"; \
    fi
RUN mkdir results

CMD ["make", "demo"]
