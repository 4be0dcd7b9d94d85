"""Programs as users of Segment's and RudderStack's SDKs write them; the tests run them with a host and a key."""
