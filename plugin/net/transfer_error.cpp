#include "plugin/net/transfer_error.h"

#include <algorithm>

namespace paceline::net {
namespace {

struct Meaning {
  Code code;
  std::string_view cause;
  std::string_view mend;
};

Meaning meaning(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
      return {Code::kUnavailable, "host name not resolved", "check the name and this node's DNS"};
    case CURLE_COULDNT_RESOLVE_PROXY:
      return {Code::kUnavailable, "proxy not resolved", "check HTTPS_PROXY and HTTP_PROXY"};
    case CURLE_PROXY:
      return {Code::kUnavailable, "proxy failed", "check HTTPS_PROXY and HTTP_PROXY"};
    case CURLE_COULDNT_CONNECT:
      return {Code::kUnavailable, "no connection", ""};
    case CURLE_OPERATION_TIMEDOUT:
      return {Code::kDeadlineExceeded, "timed out", ""};
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
      return {Code::kUnavailable, "connection closed before the end of the answer", ""};
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
      return {Code::kUnavailable, "connection broke", ""};
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
      return {Code::kPermissionDenied, "TLS certificate of the server not trusted",
              "name its CA as `ca` of this host in hosts.toml, or add it to the system's trust"};
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
      return {Code::kFailedPrecondition, "CA certificates not usable", "check `ca` of this host in hosts.toml"};
    case CURLE_SSL_CERTPROBLEM:
      return {Code::kFailedPrecondition, "client certificate not usable",
              "check `client` of this host in hosts.toml: PEM files, certificate and key a pair"};
    case CURLE_SSL_CONNECT_ERROR:
      return {Code::kUnavailable, "TLS handshake failed", ""};
    case CURLE_UNSUPPORTED_PROTOCOL:  // The URL was checked before: this is about what came back.
    case CURLE_WEIRD_SERVER_REPLY:
      return {Code::kUnavailable, "answer is not HTTP", ""};
    case CURLE_URL_MALFORMAT:
      return {Code::kInvalidArgument, "URL not usable", ""};
    case CURLE_OUT_OF_MEMORY:
      return {Code::kResourceExhausted, "out of memory", ""};
    case CURLE_FAILED_INIT:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_UNKNOWN_OPTION:
      return {Code::kInternal, "libcurl refused the request", ""};
    default:
      return {Code::kUnavailable, "transfer failed", ""};
  }
}

}  // namespace

Error transfer_error(CURLcode code, std::string_view what, std::string_view detail) {
  const Meaning found = meaning(code);
  if (detail.empty()) detail = curl_easy_strerror(code);
  std::string message(what);
  message.append(": ").append(found.cause).append(" (").append(detail).append(")");
  if (!found.mend.empty()) message.append("; ").append(found.mend);
  // The detail may quote the peer.
  std::replace_if(
      message.begin(), message.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return {found.code, std::move(message)};
}

}  // namespace paceline::net
