# shellcheck shell=bash disable=SC2154 # its settings stand in realkube
# What a cluster's directory needs before its first process starts: ports, certificates, tokens, kubeconfigs.

# Sets `port` to one that nothing holds and that was not given out before.
choose_port() {
  local tries
  for ((tries = 0; tries < 500; tries++)); do
    port=$((port_min + RANDOM % port_count))
    [[ $taken != *" $port "* ]] || continue
    grep -qs "^ *[0-9]*: [0-9A-F]*:$(printf '%04X' "$port") " /proc/net/tcp /proc/net/tcp6 && continue
    taken+="$port "
    return
  done
  die 'found no free port'
}

# prepare DIR: ports, certificates, tokens and kubeconfigs. A cluster that was prepared before keeps its own.
prepare() {
  local dir=$1 port etcd_port peer_port api_port process token
  mkdir -p "$dir/certs" "$dir/logs" "$dir/kubeconfigs"
  [[ ! -f $dir/ports ]] || return 0
  choose_port && etcd_port=$port
  choose_port && peer_port=$port
  choose_port && api_port=$port
  make_certificates "$dir/certs" || die "$dir: openssl failed, see certs/openssl.log"
  : >"$dir/tokens.csv"
  for process in admin kube-controller-manager kube-scheduler kwok kubelet kube-proxy coredns; do
    token=$(openssl rand -hex 16)
    if [[ $process == admin ]]; then
      printf '%s,admin,admin,"system:masters"\n' "$token" >>"$dir/tokens.csv"
      kubeconfig "$dir" "$api_port" "$token" >"$dir/kubeconfig"
    else
      printf '%s,realkube:%s,%s,"system:masters"\n' "$token" "$process" "$process" >>"$dir/tokens.csv"
      kubeconfig "$dir" "$api_port" "$token" >"$dir/kubeconfigs/$process"
    fi
  done
  printf '%s %s %s\n' "$etcd_port" "$peer_port" "$api_port" >"$dir/ports"
}

new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"; }

make_certificates() {
  local certs=$1
  (
    cd -- "$certs" || exit 1
    cat >openssl.cnf <<'CNF'
[req]
distinguished_name = name
prompt = no
[name]
CN = realkube
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth, clientAuth
subjectAltName = IP:127.0.0.1, DNS:localhost, DNS:kubernetes.default.svc, IP:10.96.0.1
CNF
    # Chained, because `set -e` does not hold where the caller looks at the result.
    new_key ca && new_key server && new_key service-account &&
      openssl pkey -in service-account.key -pubout -out service-account.pub &&
      openssl req -x509 -new -config openssl.cnf -extensions ca -subj /CN=realkube-ca -key ca.key -days 365 \
        -out ca.crt &&
      openssl req -new -config openssl.cnf -subj /CN=kube-apiserver -key server.key -out server.csr &&
      openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 365 \
        -extfile openssl.cnf -extensions server -out server.crt
  ) >"$certs/openssl.log" 2>&1
}

kubeconfig() {
  local dir=$1 port=$2 token=$3 name=${1##*/}
  cat <<CONFIG
apiVersion: v1
kind: Config
current-context: $name
contexts:
- name: $name
  context: {cluster: $name, user: $name}
clusters:
- name: $name
  cluster:
    server: https://127.0.0.1:$port
    certificate-authority-data: $(base64 -w 0 "$dir/certs/ca.crt")
users:
- name: $name
  user: {token: $token}
CONFIG
}
