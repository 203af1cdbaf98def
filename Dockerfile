# ABN Studio: one binary and ONNX Runtime's shared library, run by a user without privileges.
# Both building stages run on the machine's own architecture, and make files for the image's, amd64 or arm64: no emulator compiles.
FROM --platform=$BUILDPLATFORM node:22-bookworm-slim AS native
ARG TARGETARCH
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional
RUN cp node_modules/onnxruntime-node/bin/napi-v6/linux/$(echo $TARGETARCH | sed s/amd64/x64/)/libonnxruntime.so.1 /libonnxruntime.so.1

FROM --platform=$BUILDPLATFORM golang:1.26-bookworm AS build
ARG TARGETARCH
RUN if [ "$(dpkg --print-architecture)" != "$TARGETARCH" ]; then \
      apt-get update && apt-get install -y --no-install-recommends crossbuild-essential-$TARGETARCH; \
    fi
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=
RUN CGO_ENABLED=1 GOARCH=$TARGETARCH CC=$(echo $TARGETARCH | sed 's/amd64/x86_64/; s/arm64/aarch64/')-linux-gnu-gcc \
    go build -trimpath -ldflags="-s -X main.version=$VERSION" -o /studio ./cmd/studio

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libstdc++6 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --create-home --home-dir /data --uid 10001 studio
COPY --from=native /libonnxruntime.so.1 /usr/local/lib/libonnxruntime.so.1
COPY --from=build /studio /usr/local/bin/studio
COPY LICENSE NOTICE SECURITY.md /usr/share/doc/abn-studio/
ENV STUDIO_ORT_LIB=/usr/local/lib/libonnxruntime.so.1 STUDIO_DATA=/data
USER studio
# An empty folder: what a model or a library names by a relative path is not there.
WORKDIR /var/empty
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s CMD ["studio", "health", "http://127.0.0.1:8080/readyz"]
ENTRYPOINT ["studio"]
CMD ["serve", "--listen", "0.0.0.0:8080"]
