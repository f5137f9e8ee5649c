# The operator's image: Node, the operator's bundle and the render engine, and the C library that Node needs.
# No shell, no package manager.
#
# Built by `make image`. The base images are arguments, so that it builds from public ones and, where no registry of
# images is in reach, from ones that hack/image/ makes of the distribution's packages. Public ones are given by their
# digest, since a tag may mean something else tomorrow; what stands here nobody serves.
ARG GO_IMAGE=by-digest.invalid/golang:1.26-bookworm
ARG NODE_IMAGE=by-digest.invalid/node:24-bookworm-slim
ARG RUNTIME_IMAGE=by-digest.invalid/distroless/cc-debian12
# `engine-given` takes dist/engine-<architecture>, which `make image` has from the cache that tests fill, too.
ARG ENGINE=engine-compiled

FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS engine-compiled
ARG TARGETARCH
ARG GOPROXY
ENV CGO_ENABLED=0 GOPATH=/go GOCACHE=/cache/go-build
WORKDIR /src
COPY operator/render/engine/ ./
RUN --mount=type=cache,target=/cache/go-build --mount=type=cache,target=/go/pkg/mod \
    GOARCH=$TARGETARCH go build -trimpath -gcflags=all=-dwarf=false -ldflags='-s -w' -o /out/engine .

FROM scratch AS engine-given
ARG TARGETARCH
COPY dist/engine-$TARGETARCH /out/engine

FROM ${ENGINE} AS engine

FROM --platform=$BUILDPLATFORM ${NODE_IMAGE} AS operator
ARG TARGETARCH
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN --mount=type=cache,target=/root/.npm npm install --no-save --ignore-scripts --no-audit --no-fund --loglevel=error
# Node itself comes from the lockfile, too, for the platform that the image is for.
RUN --mount=type=cache,target=/root/.npm case $TARGETARCH in amd64) cpu=x64 ;; *) cpu=$TARGETARCH ;; esac \
    && mkdir /runtime && cp package.json package-lock.json .npmrc /runtime/ && cd /runtime \
    && npm install --no-save --ignore-scripts --no-audit --no-fund --loglevel=error --omit=dev --os=linux --cpu=$cpu \
    && mkdir -p /out && cp node_modules/node-linux-$cpu/bin/node /out/node && cp node_modules/node-linux-$cpu/LICENSE /out/LICENSE.node
COPY tsconfig.json ./
COPY operator/ operator/
COPY hack/build-operator.ts hack/
RUN node_modules/.bin/node hack/build-operator.ts

FROM ${RUNTIME_IMAGE}
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG CREATED
ARG URL
ARG SOURCE
LABEL org.opencontainers.image.title="towpath" \
      org.opencontainers.image.description="A GitOps operator for Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.url="${URL}" \
      org.opencontainers.image.source="${SOURCE}"
COPY LICENSE NOTICE /licenses/towpath/
# Of the packages in the bundle and the modules in the engine; `make image` collects them.
COPY dist/licenses/ /licenses/
COPY --from=operator /out/LICENSE.node /licenses/node/LICENSE
COPY --from=operator /out/node /usr/local/bin/node
COPY --from=engine /out/engine /usr/local/bin/towpath-engine
COPY --from=operator /src/dist/operator/ /towpath/
# A number, so that runAsNonRoot can be judged without a user database.
USER 65532:65532
ENV MALLOC_ARENA_MAX=2 TOWPATH_ENGINE=/usr/local/bin/towpath-engine TOWPATH_PROBE_ADDRESS=:8081 TOWPATH_METRICS_ADDRESS=:8082 TOWPATH_WEBHOOK_ADDRESS=:8083
EXPOSE 8081 8082 8083
ENTRYPOINT ["/usr/local/bin/node", "--max-semi-space-size=8", "--max-old-space-size=1024", "/towpath/main.js"]
