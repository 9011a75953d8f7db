#!/bin/sh
# Two tenants with the same addresses, created as clients would: red by `inlay`, blue by curl. Each line is echoed.
#
#     red/main   10.0.0.0/16    front 10.0.1.0/24   a .10 and d .12 on host1, b .11 on host2
#                               back  10.0.2.0/24   c .10 on host2
#     blue/main  10.0.0.0/16    front 10.0.1.0/24   a .10 on host1, b .11 on host2
#
# Among the nodes of one tenant ICMP, TCP 5201 and 8080, UDP 5201 and 9000-9999 are open; all else inbound is closed;
# outbound is open.
#
#   networks.sh TOPOLOGY     with its manager running and its hosts joined

set -eu

run=/run/inlay/${1:?type: $0 TOPOLOGY}
server="https://[2001:db8:f:ff::2]:8443"

# inlay VERB...: echoes the line as it is typed on the manager's machine.
inlay() {
    line='$ inlay'
    for word in "$@"; do
        case $word in
            *" "*) line="$line '$word'" ;;
            *) line="$line $word" ;;
        esac
    done
    printf '%s\n' "$line"
    "$run/inlay" "$@" >/dev/null
}

# api METHOD PATH BODY: the same by HTTP. The token is read from a file, so that it is on no command line.
api() {
    printf '$ curl --cacert ca.pem -H @token.header -X %s %s -d %s\n' "$1" "'$server/v1/$2'" "'$3'"
    nsenter --net=/run/netns/inlay-manager curl --silent --show-error --fail-with-body --globoff \
        --cacert "$run/ca.pem" -H "@$run/token.header" -H "Content-Type: application/json" \
        -X "$1" "$server/v1/$2" -d "$3" >"$run/answer" || {
        cat "$run/answer" >&2
        return 1
    }
}

(umask 077 && printf 'Authorization: Bearer %s\n' "$(cat "$run/token")" >"$run/token.header")

inlay project create red
inlay network create main --project red --cidr 10.0.0.0/16
inlay security-group update default --project red --network main \
    --inbound "icmp group:default" \
    --inbound "tcp 5201 group:default" \
    --inbound "tcp 8080 group:default" \
    --inbound "udp 5201 group:default" \
    --inbound "udp 9000-9999 group:default"
inlay subnet create front --project red --network main --cidr 10.0.1.0/24
inlay subnet create back --project red --network main --cidr 10.0.2.0/24
inlay node create a --project red --network main --subnet front --address 10.0.1.10 --host host1
inlay node create b --project red --network main --subnet front --address 10.0.1.11 --host host2
inlay node create c --project red --network main --subnet back --address 10.0.2.10 --host host2
inlay node create d --project red --network main --subnet front --address 10.0.1.12 --host host1

open=
for rule in '"icmp"' '"tcp","ports":"5201"' '"tcp","ports":"8080"' '"udp","ports":"5201"' '"udp","ports":"9000-9999"'; do
    open="$open${open:+,}{\"protocol\":$rule,\"peer\":\"group:default\"}"
done
all='[{"protocol":"all","peer":"0.0.0.0/0"}]'
network=projects/blue/networks/main
api POST projects '{"metadata":{"name":"blue"},"spec":{}}'
api POST projects/blue/networks '{"metadata":{"name":"main"},"spec":{"cidrs":["10.0.0.0/16"]}}'
api PUT $network/security-groups/default "{\"spec\":{\"inbound\":[$open],\"outbound\":$all}}"
api POST $network/subnets '{"metadata":{"name":"front"},"spec":{"cidr":"10.0.1.0/24"}}'
api POST "$network/nodes?wait=applied" \
    '{"metadata":{"name":"a"},"spec":{"subnet":"front","addresses":["10.0.1.10"],"placement":{"host":"host1"}}}'
api POST "$network/nodes?wait=applied" \
    '{"metadata":{"name":"b"},"spec":{"subnet":"front","addresses":["10.0.1.11"],"placement":{"host":"host2"}}}'
