// A self-signed certificate made at run time, as PEM text: nothing secret lies in the repository. Value, any thread.
#pragma once

#include <string>
#include <vector>

namespace paceline::test {

struct Certificate {
  std::string certificate;  ///< PEM; also the CA file that trusts it.
  std::string key;          ///< PEM.
};

/// `names` are subject alternative names as OpenSSL writes them: "DNS:registry.test", "IP:127.0.0.1".
Certificate make_certificate(const std::vector<std::string>& names = {"DNS:localhost", "IP:127.0.0.1"});

}  // namespace paceline::test
