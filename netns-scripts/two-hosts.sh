#!/bin/sh
# Two hosts on an IPv6 fabric, two tenants with the same addresses.
#
#     inlay-red-a   10.0.1.10/24 --+                           +-- 10.0.1.11/24   inlay-red-b
#     inlay-red-d   10.0.1.12/24 --+                           +-- 10.0.2.10/24   inlay-red-c
#     inlay-blue-a  10.0.1.10/24 --+                           +-- 10.0.1.11/24   inlay-blue-b
#                                  |                           |
#                            inlay-host1                 inlay-host2
#                  2001:db8:0:1::1/128 on lo    2001:db8:0:2::1/128 on lo
#                                  |                           |
#                     2001:db8:f:1::2/64 uplink     uplink 2001:db8:f:2::2/64
#                                  |                           |
#                      2001:db8:f:1::1/64 host1     host2 2001:db8:f:2::1/64
#                                  +----- inlay-fabric --------+
#                          routes 2001:db8:0:1::/64 and 2001:db8:0:2::/64
#
# A line to a node is a veth: `eth0` in the node, and a device named after the node (`red-a`) in its host's
# namespace. A line between host and fabric is a veth too, `uplink` in the host, named after the host in
# the fabric. Substrate links have MTU 1528, nodes 1500: a translated packet is at most 28 bytes longer.
#
# Nodes' gateways are .1 of their subnet; no interface holds that address, the dataplane plays the router.
#
# MAC addresses, so that captures and configuration can be read:
#     02:00:00:TT:SS:NN   TT tenant (00 substrate, 01 red, 02 blue), SS side (00 node or host,
#                         01 the other end), NN the node's letter (0a..) or the host's number
#
#   two-hosts.sh up      also from a state that a crash left behind
#   two-hosts.sh down    removes every trace, agents and their pins included
#
# Agents are started by lib/agent.sh, from /run/inlay/two-hosts/{host1,host2}.yaml, which `up` writes.

set -eu

here=$(dirname "$0")
# shellcheck source=SCRIPTDIR/lib/netns.sh
. "$here/lib/netns.sh"
# shellcheck source=SCRIPTDIR/lib/substrate.sh
. "$here/lib/substrate.sh"

run=/run/inlay/two-hosts
hosts="host1 host2"
nodes="red-a red-b red-c red-d blue-a blue-b"
virtual_mtu=1500

up() {
    down
    trap 'say "$0: up did not finish; removing what it made"; down' EXIT
    fabric
    host 1
    host 2
    node red-a host1 10.0.1.10 01 0a
    node red-b host2 10.0.1.11 01 0b
    node red-c host2 10.0.2.10 01 0c
    node red-d host1 10.0.1.12 01 0d
    node blue-a host1 10.0.1.10 02 0a
    node blue-b host2 10.0.1.11 02 0b
    configurations
    substrate_works
    trap - EXIT
}

down() {
    for name in $hosts; do
        "$here/lib/agent.sh" stop two-hosts "$name"
    done
    for name in $nodes $hosts fabric; do
        remove_namespace "inlay-$name"
    done
    for name in $hosts; do
        remove_instance "$name"
    done
    remove_tree "$run"
}

# node NAME HOST VIRTUAL-ADDRESS TENANT LETTER, the last two as in its MAC.
node() {
    node=inlay-$1 host=inlay-$2
    namespace "$node"
    without_ipv6 "$node"
    veth $virtual_mtu "$node" eth0 "02:00:00:$4:00:$5" "$host" "$1" "02:00:00:$4:01:$5"
    # An agent would set this on a tap or NIC, but it cannot enter a tenant's namespace, and the setting
    # belongs to the node's end.
    whole_checksums "$node" eth0
    # The host has nothing to say on a tenant's link; it only receives what the dataplane leaves to it.
    echoed ip -n "$host" link set "$1" addrgenmode none
    link_up "$host" "$1"
    link_up "$node" eth0
    link_works "$host" "$1"
    link_works "$node" eth0
    address "$node" eth0 "$3/24"
    route "$node" default via "${3%.*}.1"
}

# configurations: each host's own head, then the networks, which are the same on every host.
configurations() {
    echoed mkdir -p "$run"
    for name in $hosts; do
        say "+ $run/$name.yaml"
        cat "$here/two-hosts/hosts/$name.yaml" "$here/two-hosts/networks.yaml" >"$run/$name.yaml"
    done
}

require_root "$@"
case ${1:-} in
    up) up ;;
    down) down ;;
    *)
        say "type: $0 up | down"
        exit 2
        ;;
esac
