# shellcheck shell=bash disable=SC2154 # its settings stand in realkube
# A real node in place of kwok: containerd and runc with real containers, kubelet, kube-proxy and CoreDNS. Needs root.
# A cluster has one if DIR/node is there. DIR/node/settings: the node's address, and ports.

readonly service_net=10.96.0.0/16 dns_ip=10.96.0.10 pod_net=10.88.0.0/16
readonly pause_image=tallyman.dev/pause:1
readonly cni_bin=/usr/lib/cni

has_node() { [[ -d $1/node ]]; }

settings() { read -r node_ip kubelet_port proxy_port proxy_health_port dns_port dns_ready_port <"$1/node/settings"; }

# prepare_node DIR: what a node needs before its first process starts. One that was prepared before keeps its own.
prepare_node() {
  local dir=$1 node=$1/node ports=() port tries ip
  ((EUID == 0)) || die 'a real node needs root'
  need containerd ctr runc iptables iptables-save iptables-restore ip cc tar
  [[ -x $cni_bin/ptp ]] || die "$cni_bin/ptp is missing: install containernetworking-plugins"
  [[ $(iptables-save 2>/dev/null) != *KUBE-* ]] || die 'this machine is a Kubernetes node already'
  if [[ ! -f $node/settings ]]; then
    mkdir -p "$node/cni" "$node/images" "$node/volumes"
    ip=$(ip -4 route get 192.0.2.1 2>/dev/null | sed -n 's/.* src \([0-9.]*\).*/\1/p')
    [[ -n $ip ]] || ip=$(hostname -I | cut -d ' ' -f 1)
    [[ -n $ip ]] || die 'this machine has no address but loopback'
    for ((tries = 0; tries < 5; tries++)); do
      choose_port
      ports+=("$port")
    done
    printf '%s %s\n' "$ip" "${ports[*]}" >"$node/settings"
  fi
  cat /proc/sys/net/ipv4/ip_forward >"$node/ip_forward"
  settings "$dir"
  write_node_files "$dir" "$node"
  cc -static -Os -o "$node/pause" "$here/pause.c" || die 'pause.c does not compile'
  archive "$node/pause" "$pause_image" "$node/images/pause.tar"
}

# archive BINARY TAG OUT: a static binary as an image, in the form of `docker save`.
archive() {
  local work name=${1##*/} layer
  work=$(mktemp -d)
  mkdir "$work/root"
  install -m 755 "$1" "$work/root/$name"
  tar -C "$work/root" --owner=0 --group=0 --mtime=@0 -cf "$work/layer.tar" "$name"
  layer=$(sha256sum "$work/layer.tar" | cut -d ' ' -f 1)
  printf '{"architecture":"%s","os":"linux","config":{"Entrypoint":["/%s"],"User":"65534:65534"},%s}\n' \
    "$(go_architecture)" "$name" "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:$layer\"]}" >"$work/config.json"
  printf '[{"Config":"config.json","RepoTags":["%s"],"Layers":["layer.tar"]}]\n' "$2" >"$work/manifest.json"
  tar -C "$work" -cf "$3" manifest.json config.json layer.tar
  rm -rf "$work"
}

go_architecture() { case $(uname -m) in aarch64) echo arm64 ;; *) echo amd64 ;; esac; }

write_node_files() {
  local dir=$1 node=$2
  cat >"$node/containerd.toml" <<TOML
version = 2
root = "$node/containerd/root"
state = "$node/containerd/state"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "$node/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$pause_image"
  # Where the machine may not lower it, runc would die.
  restrict_oom_score_adj = true
  disable_tcp_service = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$cni_bin"
    conf_dir = "$node/cni"
TOML
  # Not a bridge: what goes from Pod to Pod by a Service's address must pass the host's rules both ways.
  cat >"$node/cni/10-realkube.conflist" <<JSON
{"cniVersion": "0.4.0", "name": "realkube", "plugins": [
  {"type": "ptp", "ipMasq": false, "ipam": {"type": "host-local", "dataDir": "$node/cni-data",
   "ranges": [[{"subnet": "$pod_net"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
JSON
  printf 'nameserver 127.0.0.1\n' >"$node/resolv.conf"
  cat >"$node/kubelet.yaml" <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $node_ip
port: $kubelet_port
healthzPort: 0
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: false}
  x509: {clientCAFile: $dir/certs/ca.crt}
authorization: {mode: AlwaysAllow}
containerRuntimeEndpoint: unix://$node/containerd.sock
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
failSwapOn: false
localStorageCapacityIsolation: false
evictionHard: {memory.available: 10Mi, nodefs.available: 1%, imagefs.available: 1%}
imageGCHighThresholdPercent: 100
clusterDNS: [$dns_ip]
clusterDomain: cluster.local
resolvConf: $node/resolv.conf
podLogsDir: $node/pod-logs
nodeStatusUpdateFrequency: 5s
YAML
  cat >"$node/Corefile" <<COREFILE
.:$dns_port {
  bind $node_ip
  errors
  ready 127.0.0.1:$dns_ready_port
  kubernetes cluster.local in-addr.arpa {
    kubeconfig $dir/kubeconfigs/coredns
    ttl 5
  }
}
COREFILE
}

# start_node DIR PROCESS
start_node() {
  local dir=$1 process=$2 node=$1/node own=$1/kubeconfigs/$2
  local node_ip kubelet_port proxy_port proxy_health_port dns_port dns_ready_port
  local -a words
  settings "$dir"
  case $process in
    containerd) words=(containerd --config "$node/containerd.toml") ;;
    kubelet)
      words=("$bin/kubelet" "--kubeconfig=$own" "--config=$node/kubelet.yaml" --hostname-override=node1
        "--node-ip=$node_ip" "--root-dir=$node/kubelet" "--cert-dir=$node/kubelet-pki")
      ;;
    kube-proxy)
      words=("$bin/kube-proxy" "--kubeconfig=$own" --hostname-override=node1 --proxy-mode=iptables
        "--cluster-cidr=$pod_net" --conntrack-max-per-core=0 "--metrics-bind-address=127.0.0.1:$proxy_port"
        "--healthz-bind-address=127.0.0.1:$proxy_health_port")
      ;;
    coredns) words=("$bin/coredns" -conf "$node/Corefile") ;;
  esac
  # What containers read must be readable; `up` hides what it makes.
  umask 022
  spawn "$dir" "$process" "$dir/logs/$process.log" "${words[@]}"
  umask 077
  started+=("$process")
}

on_node() {
  local dir=$1
  shift
  ctr --address "$dir/node/containerd.sock" --namespace k8s.io "$@"
}

containerd_serves() { on_node "$1" version >/dev/null 2>&1; }

load() {
  local cluster
  (($# == 3)) || die 'load needs DIR, NAME and an image in the form of docker save'
  locate "$1" "$2"
  has_node "$cluster" || die "$2 has no real node"
  on_node "$cluster" images import --no-unpack=false "$3"
}

# The address that Pods ask for names leads to the CoreDNS on the host.
dns_service_made() {
  local node_ip dns_port
  settings "$1"
  ask "$1" apply --server-side -f - >/dev/null 2>&1 <<YAML
apiVersion: v1
kind: Service
metadata: {name: kube-dns, namespace: kube-system}
spec:
  clusterIP: $dns_ip
  ports: [{name: dns, port: 53, protocol: UDP, targetPort: $dns_port}, {name: dns-tcp, port: 53, protocol: TCP, targetPort: $dns_port}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: kube-dns-host, namespace: kube-system, labels: {kubernetes.io/service-name: kube-dns}}
addressType: IPv4
ports: [{name: dns, port: $dns_port, protocol: UDP}, {name: dns-tcp, port: $dns_port, protocol: TCP}]
endpoints: [{addresses: [$node_ip], conditions: {ready: true}}]
YAML
}

dns_ready() { port_answers "$1" dns_ready_port /ready; }
proxy_ready() { port_answers "$1" proxy_health_port /healthz; }

# port_answers DIR SETTING PATH: 200 on a loopback port.
port_answers() {
  local node_ip kubelet_port proxy_port proxy_health_port dns_port dns_ready_port line=''
  settings "$1"
  {
    exec 8<>"/dev/tcp/127.0.0.1/${!2}" || return 1
    printf 'GET %s HTTP/1.0\r\n\r\n' "$3" >&8
    IFS= read -r -t 2 line <&8 || true
    exec 8>&-
  } 2>/dev/null
  [[ $line == *' 200 '* ]]
}

bring_up_node() {
  local dir=$1
  start_node "$dir" containerd
  await "$dir" containerd containerd_serves || return 1
  on_node "$dir" images import "$dir/node/images/pause.tar" >>"$dir/logs/containerd.log" 2>&1 || return 1
  await "$dir" kube-apiserver dns_service_made || return 1
  start_node "$dir" kubelet
  start_node "$dir" kube-proxy
  start_node "$dir" coredns
  await "$dir" coredns dns_ready || return 1
  await "$dir" kube-proxy proxy_ready || return 1
  await "$dir" kubelet node_ready || return 1
}

# Everything that the node has put on this machine goes: containers, network namespaces, mounts, cgroups, rules.
stop_node() {
  local dir=$1 node=$1/node
  has_node "$dir" || return 0
  stop "$dir" kubelet kube-proxy coredns
  if alive "$dir" containerd || start_containerd_again "$dir"; then
    remove_containers "$dir"
  fi
  stop "$dir" containerd
  local mount
  while read -r mount; do
    umount -l "$mount" 2>/dev/null || true
  done < <(awk -v dir="$(cd "$node" && pwd -P)/" 'index($2, dir) == 1 { print $2 }' /proc/mounts | sort -r)
  remove_rules
  find /sys/fs/cgroup -depth -type d -path '*/k8s.io*' -exec rmdir {} + 2>/dev/null || true
  # Two places that kubelet takes no other name for.
  find /var/log/containers -lname "$(cd "$node" && pwd -P)/*" -delete 2>/dev/null || true
  rm -rf /var/lib/kubelet/device-plugins
  rmdir /var/lib/kubelet /var/log/containers 2>/dev/null || true
  [[ ! -s $node/ip_forward ]] || cat "$node/ip_forward" >/proc/sys/net/ipv4/ip_forward
}

# Containers outlive a containerd that was killed; only a containerd can take them away in order.
start_containerd_again() {
  [[ -d $1/node/containerd/root ]] || return 1
  local -a started=()
  start_node "$1" containerd
  await "$1" containerd containerd_serves
}

remove_containers() {
  local dir=$1 id namespace end=$((SECONDS + stop_seconds_max))
  local -a namespaces=()
  for id in $(on_node "$dir" containers ls -q); do
    namespace=$(on_node "$dir" containers info "$id" | sed -n 's/.*"path": "\(.*\/netns\/cni-[^"]*\)".*/\1/p' | head -n 1)
    [[ -z $namespace ]] || namespaces+=("$namespace")
  done
  for id in $(on_node "$dir" tasks ls -q); do
    on_node "$dir" tasks kill --signal KILL --all "$id" >/dev/null 2>&1 || true
  done
  while [[ -n $(on_node "$dir" containers ls -q) ]]; do
    for id in $(on_node "$dir" containers ls -q); do
      on_node "$dir" tasks rm --force "$id" >/dev/null 2>&1 || true
      on_node "$dir" containers rm "$id" >/dev/null 2>&1 || true
    done
    ((SECONDS < end)) || break
    sleep 0.2
  done
  # Their ends of the Pods' links go with them.
  for namespace in ${namespaces[@]+"${namespaces[@]}"}; do
    umount -l "$namespace" 2>/dev/null || true
    rm -f "$namespace"
  done
}

# None was there before: prepare_node looked.
remove_rules() {
  local family
  for family in iptables ip6tables; do
    if [[ $("$family-save" 2>/dev/null) == *KUBE-* ]]; then
      "$family-save" 2>/dev/null | grep -v KUBE | "$family-restore" 2>/dev/null || true
    fi
  done
}
