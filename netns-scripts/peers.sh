#!/bin/sh
# What Inlay is measured beside: three ways that the kernel has of its own to join node a and node b, on
# two hosts, over an IPv6 fabric. Each has the shape of two-hosts, with one node a host:
#
#       node a              host 1           fabric           host 2             node b
#         eth0 ------- node-a  uplink ----- h1    h2 ----- uplink  node-b ------- eth0
#          2001:db8:0:1::/64                                    2001:db8:0:2::/64
#                 2001:db8:f:1::2/64 - ::1/64    ::1/64 - 2001:db8:f:2::2/64
#
#   way     node a             node b             substrate MTU
#   plain   2001:db8:0:1::10   2001:db8:0:2::10   1500   the nodes have IPv6; hosts and fabric route it
#   vxlan   10.0.1.10          10.0.1.11          1570   in each host, a bridge of the node's link and a VXLAN
#                                                        tunnel between 2001:db8:0:1::1 and 2001:db8:0:2::1
#   srv6    10.0.1.10          10.0.2.10          1564   each host puts the far node's IPv4 into IPv6 with a
#                                                        segment routing header (H.Encaps), and what is for
#                                                        2001:db8:0:N::d4 back out of it (End.DX4)
#
# A line is a veth, and each way has namespaces of its own: inlay-bench-WAY-{a,h1,f,h2,b}. Nodes' links have
# MTU 1500. MAC addresses are as in two-hosts. No way has a firewall. Offloads are as the kernel sets them,
# since nobody who lives with one of these would switch them off; where no wire is, no segment of 64 KiB is
# ever cut. `bare` has the nodes send what a wire would carry, with the settings that two-hosts' nodes have.
#
#   peers.sh up [WAY]           one way, or all three; also from a state that a crash left behind
#   peers.sh bare [WAY]         takes the nodes' offloads away
#   peers.sh offloaded [WAY]    gives them back
#   peers.sh down [WAY]         removes every trace

set -eu

here=$(dirname "$0")
# shellcheck source=SCRIPTDIR/lib/netns.sh
. "$here/lib/netns.sh"

ways="plain vxlan srv6"
owners="a b h1 h2 f"
node_mtu=1500

# up WAY
up() {
    at=inlay-bench-$1
    down "$1"
    trap 'say "$0: up did not finish; removing what it made"; down "${at##*-}"' EXIT
    "up_$1"
    trap - EXIT
}

# down WAY
down() {
    for owner in $owners; do
        remove_namespace "inlay-bench-$1-$owner"
    done
}

# bare WAY
bare() {
    for letter in a b; do
        whole_checksums "inlay-bench-$1-$letter" eth0
    done
}

# offloaded WAY
offloaded() {
    for letter in a b; do
        within "inlay-bench-$1-$letter" ethtool -K eth0 tx on gro off >/dev/null
    done
}

up_plain() {
    fabric 1500
    for number in 1 2; do
        node $number
        address "$host" "$port" "$prefix::1/64"
        address "$node" eth0 "$prefix::10/64"
        route "$node" default via "$prefix::1"
    done
    reaches "$at-a" 2001:db8:0:2::10
}

up_vxlan() {
    fabric 1570
    tunnel 1 2
    tunnel 2 1
    address "$at-a" eth0 10.0.1.10/24
    address "$at-b" eth0 10.0.1.11/24
    reaches "$at-a" 10.0.1.11
}

# tunnel NUMBER OTHER: a host's bridge of its node and a tunnel to the other host.
tunnel() {
    node "$1"
    without_ipv6 "$node"
    address "$host" lo "$prefix::1/128"
    echoed ip -n "$host" link add name bridge mtu $node_mtu type bridge
    echoed ip -n "$host" link add name tunnel mtu $node_mtu type vxlan id 100 dstport 4789 \
        local "$prefix::1" remote "2001:db8:0:$2::1"
    echoed ip -n "$host" link set "$port" master bridge
    echoed ip -n "$host" link set tunnel master bridge
    link_up "$host" tunnel
    link_up "$host" bridge
    link_works "$host" bridge
}

up_srv6() {
    fabric 1564
    segments 1 2
    segments 2 1
    reaches "$at-a" 10.0.2.10
}

# segments NUMBER OTHER: a host's ways into the other host's segment and out of its own.
segments() {
    node "$1"
    without_ipv6 "$node"
    settings "$host" net.ipv4.ip_forward=1
    address "$host" lo "$prefix::1/128"
    echoed ip -n "$host" sr tunsrc set "$prefix::1"
    address "$host" "$port" "10.0.$1.1/24"
    address "$node" eth0 "10.0.$1.10/24"
    route "$node" default via "10.0.$1.1"
    route "$host" "10.0.$2.10/32" encap seg6 mode encap segs "2001:db8:0:$2::d4" dev uplink
    route "$host" "$prefix::d4/128" encap seg6local action End.DX4 nh4 "10.0.$1.10" dev "$port"
}

# fabric MTU: the hosts, and the router between them.
fabric() {
    namespace "$at-f"
    substrate_settings "$at-f"
    for number in 1 2; do
        host=$at-h$number link=2001:db8:f:$number
        namespace "$host"
        substrate_settings "$host"
        veth "$1" "$host" uplink "02:00:00:00:00:0$number" "$at-f" "h$number" "02:00:00:00:01:0$number"
        address "$at-f" "h$number" "$link::1/64"
        address "$host" uplink "$link::2/64"
        link_up "$at-f" "h$number"
        link_up "$host" uplink
        link_works "$at-f" "h$number"
        link_works "$host" uplink
        route "$host" default via "$link::1"
        route "$at-f" "2001:db8:0:$number::/64" via "$link::2"
    done
}

# node NUMBER: a host's node, and the link between them. Leaves the names of both, of the host's end and
# of the host's prefix to whoever goes on with them.
node() {
    letter=$(echo ab | cut -c "$1")
    node=$at-$letter host=$at-h$1 port=node-$letter prefix=2001:db8:0:$1
    namespace "$node"
    veth $node_mtu "$node" eth0 "02:00:00:01:00:0$letter" "$host" "$port" "02:00:00:01:01:0$letter"
    link_up "$host" "$port"
    link_up "$node" eth0
    link_works "$host" "$port"
    link_works "$node" eth0
}

require_root "$@"
verb=${1:-}
for way in ${2:-$ways}; do
    case "$verb $way" in
        "up plain" | "up vxlan" | "up srv6" | \
            "down plain" | "down vxlan" | "down srv6" | \
            "bare plain" | "bare vxlan" | "bare srv6" | \
            "offloaded plain" | "offloaded vxlan" | "offloaded srv6") "$verb" "$way" ;;
        *)
            say "type: $0 up | bare | offloaded | down [plain | vxlan | srv6]"
            exit 2
            ;;
    esac
done
