// HTTP messages as values. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/base/clock.h"
#include "plugin/base/result.h"

namespace paceline::net {

struct Header {
  std::string name;
  std::string value;
};

/// Field names compare without case (RFC 9110 §5.1).
class Headers {
 public:
  void add(std::string name, std::string value) { fields_.push_back({std::move(name), std::move(value)}); }
  void set(std::string name, std::string value);
  void remove(std::string_view name);
  /// First value, or empty.
  [[nodiscard]] std::string_view get(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const;
  [[nodiscard]] std::vector<std::string_view> all(std::string_view name) const;
  [[nodiscard]] const std::vector<Header>& fields() const { return fields_; }
  void clear() { fields_.clear(); }

 private:
  std::vector<Header> fields_;
};

/// Trust for one host, from hosts.toml.
struct TlsOptions {
  std::vector<std::string> ca_files;  ///< PEM files trusted beside the system's.
  std::string client_cert;            ///< PEM file; empty: none.
  std::string client_key;             ///< PEM file; empty: in client_cert.
  bool skip_verify = false;
  bool operator==(const TlsOptions&) const = default;
};

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  Headers headers;
  std::string body;  ///< For POST.
  TlsOptions tls;
  bool http1 = false;  ///< Blobs: HTTP/1.1, one connection a stream (HTTP/2 streams share one congestion window).
  /// While the host's connections are all in use: true waits for its turn, false also asks for one to be freed
  /// (NetworkThread::on_host_full).
  bool patient = false;
  Duration connect_timeout = std::chrono::seconds(10);
  Duration total_timeout{0};      ///< 0: none. Blobs rely on the stall floor instead.
  std::uint64_t stall_bytes = 0;  ///< Stall floor: fewer bytes/s than this …
  Duration stall_window{0};       ///< … for this long fails with kDeadlineExceeded. 0: none.
};

struct ResponseHead {
  int status = 0;
  Headers headers;
};

struct HttpResponse {
  int status = 0;
  Headers headers;
  std::string body;
};

/// "bytes a-b/c" (RFC 9110 §14.4); total absent for "*".
struct ContentRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;  ///< Inclusive.
  std::optional<std::uint64_t> total;
};
Result<ContentRange> parse_content_range(std::string_view value);

/// Retry-After (RFC 9110 §10.2.3) as a delay from `now`: seconds or an HTTP date; empty when absent or malformed.
/// Capped at one hour.
std::optional<Duration> parse_retry_after(std::string_view value, WallTime now);

}  // namespace paceline::net
