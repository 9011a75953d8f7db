# shellcheck shell=sh
# The substrate that topologies share: a fabric, and hosts on it. Sourced after netns.sh, never run.

set -eu

substrate_mtu=1528

fabric() {
    namespace inlay-fabric
    substrate_settings inlay-fabric
    # The kernel sends one ICMPv6 error a second by default; who tests what becomes of such errors must
    # see each of them.
    settings inlay-fabric net.ipv6.icmp.ratelimit=0
}

# host NUMBER: a host, its link to the fabric, and the fabric's route to its prefix.
host() {
    host=inlay-host$1 link=2001:db8:f:$1 prefix=2001:db8:0:$1
    namespace "$host"
    substrate_settings "$host"
    veth $substrate_mtu "$host" uplink "02:00:00:00:00:0$1" inlay-fabric "host$1" "02:00:00:00:01:0$1"
    # The fabric merges packets by GRO and cuts them again, which leaves checksums to its hardware; a
    # real switch never sends an unfinished one.
    whole_checksums inlay-fabric "host$1"
    address inlay-fabric "host$1" "$link::1/64"
    link_up inlay-fabric "host$1"
    address "$host" uplink "$link::2/64"
    address "$host" lo "$prefix::1/128"
    link_up "$host" uplink
    link_works inlay-fabric "host$1"
    link_works "$host" uplink
    route "$host" default via "$link::1"
    # Else what the dataplane leaves to the kernel would go round between host and fabric.
    route "$host" unreachable "$prefix::/64"
    route inlay-fabric "$prefix::/64" via "$link::2"
}

# substrate_works: the hosts reach each other; then neighbours are forgotten again, so that the first
# tenant's packet finds the fabric as cold as a rack after a power cut.
substrate_works() {
    reaches inlay-host1 2001:db8:0:2::1
    reaches inlay-host2 2001:db8:0:1::1
    for number in 1 2; do
        forget_neighbours "inlay-host$number" uplink
        forget_neighbours inlay-fabric "host$number"
    done
}
