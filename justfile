# All tasks of the project. `./justw` runs them on a machine without `just`. Both need Rust, git and a C compiler.

set shell := ["bash", "-euo", "pipefail", "-c"]
set positional-arguments

deploy := justfile_directory() / "deploy"
native := deploy / "native"
clients := justfile_directory() / "gateway/tests/sdk/clients"
examples := justfile_directory() / "gateway/tests/sdk/examples"

# All tests use one build. A binary built apart from the tests has other features and compiles its dependencies again.
test_targets := "--workspace --bins --tests"

# Tests mostly wait for processes and deadlines, so several run on each core.
test_threads := `echo $((3 * $(getconf _NPROCESSORS_ONLN)))`

[private]
default:
    @"{{ just_executable() }}" --justfile "{{ justfile() }}" --list --unsorted

# Build and start the whole stack, print its URLs; ctrl-C stops it. --embedded: one gateway, no Redis
[group('run')]
[no-exit-message]
up *options:
    @"{{ native }}/up" "$@"

# Stop a stack that runs in another terminal
[group('run')]
down:
    @"{{ native }}/down"

# Follow the logs of the running stack
[group('run')]
logs:
    @tail -n 50 -F target/run/logs/*.log

# Run one gateway alone, from source, with the development settings
[group('run')]
run-gateway *arguments:
    cargo run --package gateway -- --config gateway/config/dev.toml "$@"

# Stop the stack and delete its logs, histories and the notifier's outbox
[group('run')]
clean-run:
    @"{{ native }}/down"
    rm -rf target/run target/test-runs

# Build the container images with docker, podman or buildah; `just image gateway` builds one
[group('release')]
image *options:
    @"{{ deploy }}/images/build" "$@"

# Build the release packages into target/dist: a tarball and a Debian package, with checksums and a bill of materials
[group('release')]
dist *options:
    @"{{ deploy }}/packages/build" "$@"

# All tests: Rust, the SDKs for JavaScript and Python, the demo in a real browser, the commands of the pages
[group('test')]
test: setup test-rust test-sdk test-python test-browser test-docs

# Unit, property and end-to-end tests in Rust
[group('test')]
test-rust *arguments: setup-redis setup-java
    cargo build {{ test_targets }}
    RUST_TEST_THREADS="${RUST_TEST_THREADS:-{{ test_threads }}}" cargo test --workspace "$@"

# Tests with the official JavaScript SDK and with STOMP libraries, in Node and Chromium, against a stack on free ports; the examples for Node and in Rust, and the outbox
[group('test')]
test-sdk *files: setup-node setup-browser setup-redis setup-curl setup-python setup-openssl
    cargo build {{ test_targets }}
    @node "{{ examples }}/build.mjs" node outbox python-queue
    @CHROMIUM="$("{{ native }}/requirement" browser)" STACK_OPTIONS=--embedded "{{ native }}/node-tests" gateway/tests/sdk "$@"

# The cases that all SDKs and STOMP libraries pass, with those for Python; the examples in Python
[group('test')]
test-python: setup-node setup-redis setup-python
    cargo build {{ test_targets }}
    @"{{ clients }}/build" python
    @node "{{ examples }}/build.mjs" python python-webhook
    @CLIENTS=Python EXAMPLES="python python-webhook" STACK_OPTIONS=--embedded "{{ native }}/node-tests" gateway/tests/sdk clients.test.mjs stomp-clients.test.mjs examples.test.mjs

# The same cases with the SDKs for Go and Java, and beside Spring's STOMP broker; installs Go, a JDK and Maven
[group('test')]
test-clients: setup-node setup-browser setup-redis setup-go setup-java setup-maven setup-python
    cargo build {{ test_targets }}
    @"{{ clients }}/build" go java spring python
    @CLIENTS="Go Java" STACK_OPTIONS=--embedded "{{ native }}/node-tests" gateway/tests/sdk clients.test.mjs
    @CLIENTS="JavaScript Python Java" BROKERS="gateway spring" CHROMIUM="$("{{ native }}/requirement" browser)" STACK_OPTIONS=--embedded "{{ native }}/node-tests" gateway/tests/sdk stomp-clients.test.mjs stomp-pages.test.mjs

# The examples in Go, in Java and with Spring Boot; installs Go, a JDK and Maven
[group('test')]
test-examples: setup-node setup-redis setup-go setup-maven
    @"{{ native }}/requirement" java 17
    cargo build {{ test_targets }}
    @PATH="$(dirname "$("{{ native }}/requirement" go)"):$PATH" node "{{ examples }}/build.mjs" go java spring-boot
    @EXAMPLES="go java spring-boot" STACK_OPTIONS=--embedded "{{ native }}/node-tests" gateway/tests/sdk examples.test.mjs

# Keycloak as identity provider, with the cases that npm's oidc-provider passes; installs a JDK, Maven, and Keycloak from Maven Central
[group('test')]
test-identity: setup-node setup-redis setup-maven
    cargo build {{ test_targets }}
    @KEYCLOAK="$("{{ native }}/keycloak")" PROVIDERS="oidc-provider Keycloak" STACK_OPTIONS=--embedded "{{ native }}/node-tests" gateway/tests/sdk identity.test.mjs

# Tests of the demo page in Chromium, against a stack on free ports
[group('test')]
test-browser *files: setup-node setup-browser setup-redis
    cargo build {{ test_targets }}
    @CHROMIUM="$("{{ native }}/requirement" browser)" "{{ native }}/node-tests" web/tests "$@"

# Run the commands and programs of README.md and docs/, check the pictures and the pages /docs
[group('test')]
test-docs *files: setup-node setup-browser setup-redis setup-python setup-curl setup-openssl
    cargo build {{ test_targets }} --example shout
    @CHROMIUM="$("{{ native }}/requirement" browser)" "{{ native }}/node-tests" docs/tests "$@"

# Real proxies with the configurations of deploy/proxies; installs nginx, HAProxy, Caddy and Envoy, and builds Traefik
[group('test')]
test-proxies: setup-node setup-redis
    @"{{ native }}/requirement" proxies
    cargo build --package gateway --bin gateway
    cd gateway/tests/sdk && npm ci --no-audit --no-fund
    @PATH="$PATH:/usr/sbin" "{{ deploy }}/testing/run" proxies

# Images, packages, Compose and the Helm chart, as far as they run without an engine; `just test-deploy kubernetes` runs one part
[group('test')]
test-deploy *parts: setup-node setup-redis
    cargo build --workspace --bins
    @"{{ deploy }}/testing/run" "$@"

# Compare the REST interfaces of gateway and notifier with their OpenAPI documents, by requests that schemathesis makes of them
[group('test')]
test-contract: setup-redis setup-python
    cargo build {{ test_targets }}
    @SWITCHBOARD_BIN_DIR="${CARGO_TARGET_DIR:-$PWD/target}/debug" NOTIFIER__HTTP__API_KEYS=dev "{{ native }}/up" --profile dev --free-ports -- "$PWD/gateway/tests/contract/run"

# Inject faults into a cluster and check what it delivers: `just torture --minutes 30 --store cluster --workload queues --seed 7 --faults kill-gateway,promote`
[group('test')]
torture *options:
    cargo test --release --package gateway --test torture -- "$@"

# Explore seeds of the simulation: `just simulate --seeds 40000 --first 3000`; `just simulate --flaw one-epoch` shrinks a case that finds this flaw
[group('test')]
simulate *options:
    cargo run --release --package gateway --example simulate -- "$@"

# Fuzz a target, or all of them, for a number of seconds each; needs a nightly toolchain
[group('test')]
fuzz target="all" seconds="900":
    #!/usr/bin/env bash
    set -euo pipefail
    fuzzer=$("{{ native }}/cargo-tool" cargo-fuzz 0.13.2 "runs the fuzz targets; about 60 s, once")
    export PATH=$(dirname "$fuzzer"):$PATH
    if [[ "{{ target }}" == all ]]; then targets=$(cargo +nightly fuzz list); else targets="{{ target }}"; fi
    for target in $targets; do
        cargo +nightly fuzz run "$target" -- -max_total_time="{{ seconds }}" -print_final_stats=1
    done

# All static checks; the quickest come first
[group('check')]
check: check-format check-unused check-dependencies check-lints check-features check-docs

# Formatting
[group('check')]
check-format:
    cargo fmt --all --check

# Unused dependencies
[group('check')]
check-unused:
    "$("{{ native }}/cargo-tool" cargo-machete 0.9.2 "finds unused dependencies; about 25 s, once")"

# Bans, licences and sources of dependencies (deny.toml)
[group('check')]
check-dependencies:
    "$("{{ native }}/cargo-tool" cargo-deny 0.20.2 "checks dependencies; about 60 s, once")" check --hide-inclusion-graph bans licenses sources

# Clippy on every target; warnings are errors
[group('check')]
check-lints:
    cargo clippy --workspace --all-targets -- -D warnings

# The gateway as the fuzz targets use it: with the module for tests, and without the dependencies of its own tests
[group('check')]
check-features:
    cargo check --package gateway --lib --features testing

# Documentation and its links
[group('check')]
check-docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Known vulnerabilities in dependencies; downloads the advisory database
[group('check')]
audit:
    "$("{{ native }}/cargo-tool" cargo-deny 0.20.2 "checks dependencies; about 60 s, once")" check advisories

# Lint the shell scripts; needs shellcheck
[group('check')]
check-scripts:
    shellcheck --external-sources justw .ci/run deploy/native/* deploy/*/build deploy/images/{binaries,stubs} deploy/packages/{install,testing/boot} \
        deploy/compose/make-secrets deploy/kubernetes/{render,testing/container} deploy/proxies/tool deploy/testing/run "{{ clients }}/build"

# Format the source
[group('develop')]
fmt:
    cargo fmt --all

# Load generator and scenarios; `just bench --help` lists them
[group('develop')]
bench *arguments:
    cargo build --release --package gateway --package bench
    @target/release/bench "$@"

# Mixed load that comes and goes on one gateway, for half an hour: memory, files, threads and tasks return; `just soak 3` is a short try
[group('develop')]
soak minutes="30":
    cargo build --release --package gateway --package bench
    @target/release/bench soak --minutes "{{ minutes }}"

# Make the pictures of the demo in docs/images again, from a new stack on the default ports
[group('develop')]
pictures: setup-node setup-browser setup-redis
    rm -rf target/pictures
    cd web/tests && npm ci --no-audit --no-fund
    @CHROMIUM="$("{{ native }}/requirement" browser)" "{{ native }}/up" --profile dev --run-dir target/pictures -- node web/tests/pictures.mjs

# Measure the demo page in Chromium while lines arrive: interaction to next paint, longest task
[group('develop')]
bench-page *arguments: setup-node setup-browser setup-redis
    cargo build --release --package gateway --package chatbot-backend --package notifier-backend
    cd web/tests && npm ci --no-audit --no-fund
    @CHROMIUM="$("{{ native }}/requirement" browser)" "{{ native }}/up" --profile release --free-ports --run-dir target/bench-page -- node bench/page/measure.mjs "$@"

# Install the programs that the tests need besides Rust: Redis, Java, Node, Chromium, Python, curl and openssl
[group('develop')]
setup: setup-redis setup-java setup-node setup-browser setup-python setup-curl setup-openssl

[private]
setup-redis:
    @"{{ native }}/requirement" redis

[private]
setup-java:
    @"{{ native }}/requirement" java

[private]
setup-node:
    @"{{ native }}/requirement" node

[private]
setup-browser:
    @"{{ native }}/requirement" browser

[private]
setup-python:
    @"{{ native }}/requirement" python

[private]
setup-curl:
    @"{{ native }}/requirement" curl

[private]
setup-openssl:
    @"{{ native }}/requirement" openssl

[private]
setup-go:
    @"{{ native }}/requirement" go

[private]
setup-maven:
    @"{{ native }}/requirement" maven
