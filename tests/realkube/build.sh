# shellcheck shell=bash disable=SC2154 # its settings stand in realkube
# The binaries: from Go modules alone, again only when go.mod or go.sum has changed.

build() {
  (($# == 0)) || die 'build takes no arguments'
  command -v go >/dev/null || die "Go 1.$go_minor_min or newer is missing: install it (https://go.dev/dl), put it on PATH"
  need nice flock sha256sum
  cd -- "$here" || die "cannot enter $here"
  # Pure Go, so that no C compiler is needed; neither a go.work above nor a vendor directory may change the result.
  export CGO_ENABLED=0 GOWORK=off
  require_go
  local version stamp
  version=$(sed -n 's/^\tk8s.io\/kubernetes \(v[0-9.]*\).*/\1/p' go.mod)
  [[ -n $version ]] || die 'go.mod does not require k8s.io/kubernetes'
  stamp=$(cat go.mod go.sum | sha256sum | cut -d ' ' -f 1)
  mkdir -p bin
  exec 9>bin/.lock
  flock 9
  if is_built "$stamp"; then
    printf 'up to date: Kubernetes %s in %s\n' "$version" "$bin"
    return
  fi
  printf 'building Kubernetes %s (some minutes when the Go build cache is cold)\n' "$version"
  rm -f bin/.stamp
  local pkg=k8s.io/component-base/version minor=${version#v1.}
  nice -n 10 go build -trimpath -buildvcs=false -mod=readonly -o bin/ -ldflags \
    "-s -w -X $pkg.gitVersion=$version -X $pkg.gitMajor=1 -X $pkg.gitMinor=${minor%%.*}" tool ./coredns ||
    die 'go build failed (it needs the module proxy once: see go env GOPROXY)'
  mv bin/server bin/etcd # etcd's package is called server
  printf '%s\n' "$stamp" >bin/.stamp
  printf 'built Kubernetes %s in %s\n' "$version" "$bin"
}

require_go() {
  local version
  version=$(go env GOVERSION) || die 'go env failed'
  [[ $version =~ go1\.([0-9]+) ]] || die "does not understand Go version '$version'"
  ((BASH_REMATCH[1] >= go_minor_min)) || die "Go 1.$go_minor_min or newer is needed, this is $version"
}

is_built() {
  local name
  [[ -f $bin/.stamp && $(<"$bin/.stamp") == "$1" ]] || return 1
  for name in "${processes[@]}" kubectl kubelet kube-proxy coredns; do
    [[ -x $bin/$name ]] || return 1
  done
}
