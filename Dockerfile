# The program by itself, run by a user who is not root:
#
#     cargo build --release && docker build --tag determinant .
#     docker run --rm --network host determinant run http://localhost:8008
#
# The base has to have a C library at least as new as that of the machine which built the program.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="determinant" org.opencontainers.image.version="${VERSION}"
COPY target/release/determinant /usr/local/bin/determinant
# Where the record of the last run is kept.
ENV XDG_CACHE_HOME=/tmp
USER 65534:65534
ENTRYPOINT ["determinant"]
