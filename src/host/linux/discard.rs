//! The host's own routing table, read for `anyns check`. Never changes it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use futures_util::stream::TryStreamExt;
use ipnet::IpNet;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};
use rtnetlink::{Handle, RouteMessageBuilder};

/// Of these prefixes, those that no blackhole, unreachable or prohibit route of the host covers.
pub async fn without_discard_route(prefixes: &[IpNet]) -> io::Result<Vec<IpNet>> {
    let (connection, handle, _) = rtnetlink::new_connection()?;
    let connection = tokio::spawn(connection);
    let ipv4 = discards(&handle, RouteMessageBuilder::<Ipv4Addr>::new().build()).await;
    let ipv6 = discards(&handle, RouteMessageBuilder::<Ipv6Addr>::new().build()).await;
    connection.abort();
    let discards = [ipv4?, ipv6?].concat();
    let uncovered =
        prefixes.iter().filter(|prefix| !discards.iter().any(|discard| discard.contains(*prefix)));
    Ok(uncovered.copied().collect())
}

/// Every prefix whose packets the host discards.
async fn discards(handle: &Handle, filter: RouteMessage) -> io::Result<Vec<IpNet>> {
    let mut routes = handle.route().get(filter).execute();
    let mut discards = Vec::new();
    while let Some(route) = routes.try_next().await.map_err(io::Error::other)? {
        let discarded =
            matches!(route.header.kind, RouteType::BlackHole | RouteType::Unreachable | RouteType::Prohibit);
        if discarded {
            discards.extend(destination(&route));
        }
    }
    Ok(discards)
}

fn destination(route: &RouteMessage) -> Option<IpNet> {
    let address = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(RouteAddress::Inet(address)) => Some(IpAddr::V4(*address)),
        RouteAttribute::Destination(RouteAddress::Inet6(address)) => Some(IpAddr::V6(*address)),
        _ => None,
    });
    // A default route has no destination. IPv6 kernels often have an unreachable one of low preference for
    // every other table; it covers no prefix that an operator configured.
    let everything = match route.header.address_family {
        AddressFamily::Inet => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        _ => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let address = address.unwrap_or(everything);
    if address.is_unspecified() {
        return None;
    }
    IpNet::new(address, route.header.destination_prefix_length).ok()
}
