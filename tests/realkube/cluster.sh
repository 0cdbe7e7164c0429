# shellcheck shell=bash disable=SC2154 # its settings stand in realkube
# The five processes of one cluster: their flags, when they are ready, how they end.

# start DIR PROCESS: always with the same flags, which follow from the directory.
start() {
  local dir=$1 process=$2 etcd_port peer_port api_port
  local own=$dir/kubeconfigs/$process
  local -a flags
  read -r etcd_port peer_port api_port <"$dir/ports"
  case $process in
    etcd)
      # No fsync: a killed process loses nothing by that, only a machine does.
      flags=(--name=realkube "--data-dir=$dir/data" --unsafe-no-fsync
        "--listen-client-urls=http://127.0.0.1:$etcd_port" "--advertise-client-urls=http://127.0.0.1:$etcd_port"
        "--listen-peer-urls=http://127.0.0.1:$peer_port" "--initial-advertise-peer-urls=http://127.0.0.1:$peer_port"
        "--initial-cluster=realkube=http://127.0.0.1:$peer_port")
      ;;
    kube-apiserver)
      flags=("--etcd-servers=http://127.0.0.1:$etcd_port" --external-hostname=localhost "--secure-port=$api_port"
        "--tls-cert-file=$dir/certs/server.crt" "--tls-private-key-file=$dir/certs/server.key"
        "--token-auth-file=$dir/tokens.csv" --authorization-mode=RBAC
        --service-account-issuer=https://kubernetes.default.svc
        "--service-account-key-file=$dir/certs/service-account.pub"
        "--service-account-signing-key-file=$dir/certs/service-account.key"
        "--service-cluster-ip-range=$service_net"
        "--audit-policy-file=$here/audit-policy.yaml" "--audit-log-path=$dir/audit.jsonl" --audit-log-maxsize=100)
      if has_node "$dir"; then
        local node_ip
        read -r node_ip _ <"$dir/node/settings"
        flags+=("--advertise-address=$node_ip" --kubelet-preferred-address-types=InternalIP
          "--kubelet-client-certificate=$dir/certs/server.crt" "--kubelet-client-key=$dir/certs/server.key")
      else
        # Without the ServiceAccount plugin: no kubelet is there to mount a Pod's token.
        flags+=(--bind-address=127.0.0.1 --disable-admission-plugins=ServiceAccount --endpoint-reconciler-type=none)
      fi
      ;;
    kube-controller-manager)
      # A long grace period: heartbeats that are late on a busy machine must not make the node NotReady.
      flags=("--kubeconfig=$own" "--authentication-kubeconfig=$own" "--authorization-kubeconfig=$own"
        --leader-elect=false --secure-port=0 "--service-account-private-key-file=$dir/certs/service-account.key"
        --kube-api-qps=500 --kube-api-burst=1000 --node-monitor-grace-period=10m)
      if has_node "$dir"; then
        flags+=("--root-ca-file=$dir/certs/ca.crt")
      else
        flags+=("--controllers=job,cronjob,namespace,garbagecollector,ttl-after-finished,podgc,serviceaccount,\
deployment,replicaset,statefulset,resourcequota,node-lifecycle-controller")
      fi
      ;;
    kube-scheduler)
      flags=("--kubeconfig=$own" --leader-elect=false --secure-port=0 --kube-api-qps=500 --kube-api-burst=1000)
      ;;
    kwok)
      flags=("--kubeconfig=$own" "--config=$here/stages.yaml" --manage-all-nodes=true --node-ip=127.0.0.1)
      ;;
  esac
  KWOK_WORKDIR=$dir/kwok spawn "$dir" "$process" "$dir/logs/$process.log" "$bin/$process" "${flags[@]}"
  started+=("$process")
}

etcd_serves() {
  local etcd_port answer=''
  read -r etcd_port _ <"$1/ports"
  {
    exec 8<>"/dev/tcp/127.0.0.1/$etcd_port" || return 1
    printf 'GET /health HTTP/1.0\r\n\r\n' >&8
    IFS= read -r -t 2 -d '' answer <&8 || true
    exec 8>&-
  } 2>/dev/null
  [[ $answer == *'"health":"true"'* ]]
}

ask() {
  local dir=$1
  shift
  "$bin/kubectl" --kubeconfig "$dir/kubeconfig" --cache-dir "$dir/cache" --request-timeout 5s "$@"
}

apiserver_ready() { [[ $(ask "$1" get --raw /readyz 2>/dev/null) == ok ]]; }

node_made() {
  ask "$1" apply --server-side --validate=false -f - >/dev/null 2>&1 <<NODE
{apiVersion: v1, kind: Node, metadata: {name: node1, labels: {kubernetes.io/hostname: node1, kubernetes.io/os: linux}}}
NODE
}

# Ready by kwok, and the taint gone by the controller manager: from now on Pods are scheduled.
node_ready() {
  [[ $(ask "$1" get node node1 -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}/{.spec.taints}' \
    2>/dev/null) == True/ ]]
}

# await DIR PROCESS CONDITION: until CONDITION DIR holds. Fails, and shows the log of the one to blame, when a process
# that was started here ends, or the time is up.
await() {
  local dir=$1 blamed=$2 condition=$3 process end=$((SECONDS + ready_seconds_max))
  until "$condition" "$dir"; do
    ((aborted == 0)) || return 1
    for process in "${started[@]}"; do
      alive "$dir" "$process" && continue
      blame "$dir" "$process" 'has ended'
      return 1
    done
    if ((SECONDS >= end)); then
      blame "$dir" "$blamed" "not ready within $ready_seconds_max s ($condition)"
      return 1
    fi
    sleep 0.1
  done
}

blame() {
  printf 'realkube: %s: %s: %s; its log ends:\n%s\n' \
    "${1##*/}" "$2" "$3" "$(tail -n 20 -- "$1/logs/$2.log" 2>&1 | cut -c 1-250)" >&2
}

# The apiserver goes before its etcd: it does not end while it waits for one that is gone.
stop_cluster() {
  stop_node "$1"
  stop "$1" kube-apiserver kube-controller-manager kube-scheduler kwok
  stop "$1" etcd
}
