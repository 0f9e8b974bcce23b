// One transfer: a libcurl easy handle set up from a request, and the way of its events to the handler.
// Thread rule: the network thread only. Owns handle, handler and what libcurl only borrows (headers, body); the
// options, tracker and share of the environment must outlive it.
#pragma once

#include <curl/curl.h>

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "plugin/net/head_parser.h"
#include "plugin/net/network_thread.h"
#include "plugin/net/socket_tracker.h"
#include "plugin/net/stall_watch.h"

namespace paceline::net {

/// What the transfers of one network thread have in common.
struct TransferEnvironment {
  const NetworkOptions& options;
  SocketTracker& sockets;
  CURLSH* share;
};

class EasyTransfer {
 public:
  EasyTransfer(TransferId id, const HttpRequest& request, std::unique_ptr<TransferHandler> handler,
               const TransferEnvironment& environment);
  ~EasyTransfer();
  EasyTransfer(const EasyTransfer&) = delete;
  EasyTransfer& operator=(const EasyTransfer&) = delete;

  /// Not ok: the request is malformed and must not be run.
  [[nodiscard]] const Status& prepared() const { return prepared_; }
  [[nodiscard]] TransferId id() const { return id_; }
  [[nodiscard]] CURL* easy() const { return easy_; }
  [[nodiscard]] const std::string& host() const { return host_key_; }
  /// "GET https://host/path", without secrets.
  [[nodiscard]] const std::string& what() const { return what_; }

  /// Whether the request went out.
  [[nodiscard]] bool requested() const { return requested_; }
  /// The status of the answer; 0: there was none.
  [[nodiscard]] int answered() const { return head_.complete() ? head_.head().status : 0; }

  /// Whether its handler is on the call stack; then only interrupt() may end it.
  [[nodiscard]] bool in_handler() const { return in_handler_; }
  /// Ends it with kCancelled when its handler returns.
  void interrupt() { interrupted_ = true; }

  /// Lets a body go on that its handler paused. libcurl delivers what it held back before this returns, so the caller
  /// must treat it like curl_multi_perform; anything but CURLE_OK is the transfer's end.
  CURLcode resume();

  /// Feeds the stall watch; true when the transfer must end. Counts from the request's sending: before that the
  /// connect timeout rules.
  bool stalled();

  /// What libcurl's result means.
  [[nodiscard]] Status outcome(CURLcode code) const;
  /// Calls on_done, then destroys the handler. Nothing more reaches it. Once.
  void finish(Status status);

 private:
  Status prepare(const HttpRequest& request, const TransferEnvironment& environment);
  Status set_headers(const HttpRequest& request);
  void set_method(const HttpRequest& request);
  void set_connection(const HttpRequest& request, const TransferEnvironment& environment);
  void set_callbacks();
  [[nodiscard]] TransferEnd measure() const;

  // Callbacks of libcurl.
  static std::size_t header_callback(char* data, std::size_t size, std::size_t count, void* self);
  static std::size_t body_callback(char* data, std::size_t size, std::size_t count, void* self);
  static curl_socket_t open_callback(void* self, curlsocktype purpose, curl_sockaddr* address);
  static int close_callback(void* tracker, curl_socket_t socket);
  static int request_callback(void* self, char* remote_ip, char* local_ip, int remote_port, int local_port);
  bool receive_head_line(std::string_view line);
  std::size_t receive_body(std::span<const std::byte> data);
  /// Calls the handler and says whether the transfer goes on.
  template <class Call>
  bool call_handler(Call call);

  struct ListFree {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };

  const TransferId id_;
  CURL* easy_;
  std::unique_ptr<TransferHandler> handler_;
  SocketTracker& sockets_;
  const TimePoint started_ = std::chrono::steady_clock::now();
  std::string host_key_;
  std::string what_;
  std::string request_body_;
  std::unique_ptr<curl_slist, ListFree> request_headers_;
  std::optional<StallWatch> stall_watch_;
  HeadParser head_;
  std::uint64_t body_bytes_ = 0;
  Status prepared_;
  Status own_failure_;  ///< Found here, not by libcurl.
  bool requested_ = false;
  bool in_handler_ = false;
  bool aborted_ = false;
  bool interrupted_ = false;
  bool paused_ = false;
  std::array<char, CURL_ERROR_SIZE> error_text_{};
};

}  // namespace paceline::net
