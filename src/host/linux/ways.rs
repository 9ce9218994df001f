//! Questions to the kernel: by which route would a packet to this address leave? Changes nothing.

use std::net::IpAddr;
use std::time::Duration;

use futures_util::TryStreamExt;
use rtnetlink::Handle;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};

use crate::host::route_back::Way;

use super::host_length;

/// How long the kernel may take to answer about one address: it answers at once, or a message was lost.
const KERNEL: Duration = Duration::from_millis(200);

/// Asks the kernel for the way to each of these, from the source.
pub(in crate::host) async fn ask_all(references: &[IpAddr], source: Option<IpAddr>) -> Vec<(IpAddr, Way)> {
    let Ok((connection, handle, _)) = rtnetlink::new_connection() else {
        return references.iter().map(|address| (*address, Way::Unknown)).collect();
    };
    let ask = async {
        let mut ways = Vec::new();
        for address in references {
            let way = tokio::time::timeout(KERNEL, way(&handle, *address, source)).await;
            ways.push((*address, way.unwrap_or(Way::Unknown)));
        }
        ways
    };
    tokio::select! {
        ways = ask => ways,
        () = connection => references.iter().map(|address| (*address, Way::Unknown)).collect(),
    }
}

async fn way(handle: &Handle, to: IpAddr, from: Option<IpAddr>) -> Way {
    let mut replies = std::pin::pin!(handle.route().get(question(to, from)).execute());
    match replies.try_next().await {
        Ok(Some(route)) => match route.header.kind {
            RouteType::Unicast => Way::Route,
            RouteType::BlackHole | RouteType::Unreachable | RouteType::Prohibit | RouteType::Throw => {
                Way::None
            }
            _ => Way::Unknown,
        },
        Err(rtnetlink::Error::NetlinkError(message)) => match -message.raw_code() {
            // None, unreachable, blackhole and prohibit.
            libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EINVAL | libc::EACCES => Way::None,
            _ => Way::Unknown,
        },
        Ok(None) | Err(_) => Way::Unknown,
    }
}

/// RTM_GETROUTE for one address (rtnetlink(7)).
fn question(to: IpAddr, from: Option<IpAddr>) -> RouteMessage {
    let route_address = |address: IpAddr| match address {
        IpAddr::V4(address) => RouteAddress::Inet(address),
        IpAddr::V6(address) => RouteAddress::Inet6(address),
    };
    let length = host_length(to);
    let mut message = RouteMessage::default();
    message.header.address_family = if to.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    message.header.destination_prefix_length = length;
    message.attributes.push(RouteAttribute::Destination(route_address(to)));
    if let Some(from) = from {
        message.header.source_prefix_length = length;
        message.attributes.push(RouteAttribute::Source(route_address(from)));
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_of_this_host_proves_nothing() {
        for (to, from) in [("127.0.0.5", "127.0.0.1"), ("::1", "::1")] {
            let (to, from) = (to.parse().unwrap(), Some(from.parse().unwrap()));
            assert_eq!(ask_all(&[to], from).await, [(to, Way::Unknown)], "the way to {to}");
        }
    }
}
