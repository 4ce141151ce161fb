# syntax=docker/dockerfile:1
# The operator alone: one static program, no shell, not root.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/cache \
    --mount=type=cache,target=/usr/local/cargo/registry \
    PGUPGRADE_CACHE=/cache hack/static-build /image/pgupgrade
# Certificates of Amazon RDS in all regions, for resources without spec.source.caBundleRef.
ADD --chmod=0444 https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem /image/etc/pgupgrade/rds-global-bundle.pem
# Certificates of AWS's own API.
RUN mkdir -p /image/etc/ssl/certs && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/

FROM scratch
LABEL org.opencontainers.image.title="pgupgrade" \
      org.opencontainers.image.description="Kubernetes operator for major PostgreSQL upgrades on Amazon Aurora" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /image/ /
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/pgupgrade"]
CMD ["run"]
