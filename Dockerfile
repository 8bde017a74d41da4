# The image of the market's services (referee, snapshotter, projector). Agents need no image: they install the wheel.
# tests/services/test_compose_engine.py builds it where an engine answers; test_image.py of tests/broker runs its lines without.
FROM python:3.12-slim

# Not root. /data belongs to the user before a volume is laid over it, and so does then the volume.
RUN useradd --uid 10001 --create-home contractnet && install --directory --owner contractnet /data

WORKDIR /app

# First what seldom changes, so that an edit of the code does not install everything anew.
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes --requirement requirements.lock

COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation --editable .

USER contractnet
ENV CONTRACTNET_DATA=/data PYTHONUNBUFFERED=1
VOLUME /data

CMD ["contractnet", "--help"]
