#include "plugin/net/network_thread.h"

#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "plugin/base/log.h"
#include "plugin/net/connection_limits.h"
#include "plugin/net/easy_transfer.h"
#include "plugin/net/socket_tracker.h"
#include "plugin/net/timers.h"

namespace paceline::net {
namespace {

constexpr Duration kLongestWait = std::chrono::minutes(1);

struct MultiFree {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct ShareFree {
  void operator()(CURLSH* share) const { curl_share_cleanup(share); }
};

CURLM* make_multi() {
  static const CURLcode initialised = curl_global_init(CURL_GLOBAL_DEFAULT);
  return initialised == CURLE_OK ? curl_multi_init() : nullptr;
}

/// Signals are the main thread's; SIGPIPE, which OpenSSL can raise, is nobody's.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~BlockedSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

class NetworkThread::Impl {
 public:
  explicit Impl(NetworkOptions options);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void post(std::function<void()> work);
  TransferId start(const HttpRequest& request, std::unique_ptr<TransferHandler> handler);
  void cancel(TransferId id);
  void resume(TransferId id) { resumed_.push_back(id); }
  void limit_connections(const std::string& host_key, unsigned most);
  void on_host_full(std::function<void(const std::string&)> listener) { host_full_ = std::move(listener); }
  void refuse_new_transfers();
  [[nodiscard]] bool on_network_thread() const { return std::this_thread::get_id() == thread_.get_id(); }

  RequestTally requests_;
  Timers timers_;
  SocketTracker sockets_;  // Before multi_: closing its connections reports here.

 private:
  void run();
  /// False once the destructor waits.
  bool run_posted();
  void add_new_transfers();
  void add(TransferId id, std::set<std::string>& full);
  void resume_paused();
  void perform();
  void remove_buried();
  void report_finished();
  void wait();
  void end_everything();
  void watch_for_stall(TransferId id, Duration period);
  /// Takes the transfer out of the tables and out of libcurl, then tells its handler. Unknown ids are ignored.
  void finish(TransferId id, Status status);

  NetworkOptions options_;
  // TLS sessions; libcurl's multi handle shares names and connections among its transfers, but not these.
  std::unique_ptr<CURLSH, ShareFree> share_;
  std::unique_ptr<CURLM, MultiFree> multi_;

  struct Running {
    std::unique_ptr<EasyTransfer> transfer;
    TimerId stall_timer = 0;
    bool added = false;    ///< To the multi handle.
    bool patient = false;  ///< See HttpRequest.
    bool asked = false;    ///< For a connection to be freed.
  };
  std::unordered_map<TransferId, Running> transfers_;
  std::vector<TransferId> new_transfers_;  ///< libcurl forbids adding and removing inside its callbacks.
  std::vector<TransferId> waiting_;        ///< For a connection, in order of start().
  bool room_ = false;                      ///< One of them may go on.
  ConnectionLimits limits_;
  std::function<void(const std::string&)> host_full_;
  std::vector<TransferId> resumed_;  ///< Nor may a transfer be resumed in there: its data would come at once.
  std::vector<std::unique_ptr<EasyTransfer>> buried_;
  bool performing_ = false;
  bool refusing_ = false;  ///< shut_down() was called.
  TransferId last_id_ = 0;

  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;
  bool stopping_ = false;

  std::thread thread_;  // Last: it uses all of the above.
};

NetworkThread::Impl::Impl(NetworkOptions options)
    : options_(std::move(options)), share_(nullptr), multi_(make_multi()), limits_(options_.host_connections) {
  share_.reset(curl_share_init());
  if (!multi_ || !share_) {
    spdlog::critical("network thread: libcurl could not be set up; out of memory?");
    std::abort();
  }
  curl_share_setopt(share_.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  curl_multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(options_.max_idle_connections));
  // The transfers are counted here, but only libcurl can close a resting connection to make room for another one.
  curl_multi_setopt(multi_.get(), CURLMOPT_MAX_HOST_CONNECTIONS, static_cast<long>(limits_.highest()));
  // Tokens and manifests over HTTP/2 share a connection; blobs ask for HTTP/1.1 and never do.
  curl_multi_setopt(multi_.get(), CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);

  const BlockedSignals inherited_by_the_thread;
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), "net");
}

NetworkThread::Impl::~Impl() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  curl_multi_wakeup(multi_.get());
  thread_.join();
}

void NetworkThread::Impl::post(std::function<void()> work) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = posted_.empty();
    posted_.push_back(std::move(work));
  }
  if (first && !on_network_thread()) curl_multi_wakeup(multi_.get());
}

TransferId NetworkThread::Impl::start(const HttpRequest& request, std::unique_ptr<TransferHandler> handler) {
  const TransferId id = ++last_id_;
  const TransferEnvironment environment{.options = options_, .sockets = sockets_, .share = share_.get()};
  transfers_[id].transfer = std::make_unique<EasyTransfer>(id, request, std::move(handler), environment);
  transfers_[id].patient = request.patient;
  new_transfers_.push_back(id);
  if (request.stall_bytes > 0 && request.stall_window > Duration::zero()) {
    watch_for_stall(id, std::max<Duration>(request.stall_window / StallWatch::kTicks, std::chrono::milliseconds(1)));
  }
  return id;
}

void NetworkThread::Impl::watch_for_stall(TransferId id, Duration period) {
  transfers_[id].stall_timer = timers_.add(std::chrono::steady_clock::now() + period, [this, id, period] {
    EasyTransfer& transfer = *transfers_.at(id).transfer;  // finish() cancels this timer.
    if (transfer.stalled()) {
      finish(id, fail(Code::kDeadlineExceeded, transfer.what() + ": stalled, slower than the stall floor allows"));
    } else {
      watch_for_stall(id, period);
    }
  });
}

void NetworkThread::Impl::cancel(TransferId id) {
  const auto found = transfers_.find(id);
  if (found == transfers_.end()) return;
  EasyTransfer& transfer = *found->second.transfer;
  if (transfer.in_handler()) {
    transfer.interrupt();
  } else {
    finish(id, fail(Code::kCancelled, transfer.what() + ": cancelled"));
  }
}

void NetworkThread::Impl::resume_paused() {
  for (const TransferId id : std::exchange(resumed_, {})) {
    const auto found = transfers_.find(id);
    if (found == transfers_.end()) continue;
    EasyTransfer& transfer = *found->second.transfer;
    performing_ = true;  // Held-back data reaches the handler from in there.
    const CURLcode code = transfer.resume();
    performing_ = false;
    remove_buried();
    if (code != CURLE_OK) finish(id, transfer.outcome(code));
  }
}

void NetworkThread::Impl::refuse_new_transfers() {
  refusing_ = true;
  std::vector<TransferId> ids;
  for (const auto& [id, running] : transfers_) ids.push_back(id);
  for (const TransferId id : ids) cancel(id);
}

void NetworkThread::Impl::finish(TransferId id, Status status) {
  const auto entry = transfers_.extract(id);
  if (!entry) return;
  Running running = std::move(entry.mapped());
  timers_.cancel(running.stall_timer);
  EasyTransfer& transfer = *running.transfer;
  if (running.added) {
    limits_.leave(transfer.host());
    room_ = !waiting_.empty();
  }
  if (running.added && !performing_) curl_multi_remove_handle(multi_.get(), transfer.easy());
  if (transfer.requested()) requests_.count(transfer.host(), transfer.answered());
  transfer.finish(std::move(status));
  // Inside libcurl's callbacks the handle stays with libcurl a little longer, deaf.
  if (running.added && performing_) buried_.push_back(std::move(running.transfer));
}

void NetworkThread::Impl::run() {
  while (run_posted()) {
    timers_.run_due(std::chrono::steady_clock::now());
    add_new_transfers();
    resume_paused();
    perform();
    report_finished();
    wait();
  }
  end_everything();
}

bool NetworkThread::Impl::run_posted() {
  std::vector<std::function<void()>> work;
  bool stopping = false;
  {
    const std::lock_guard lock(mutex_);
    work.swap(posted_);
    stopping = stopping_;
  }
  for (const std::function<void()>& function : work) function();
  return !stopping;
}

void NetworkThread::Impl::limit_connections(const std::string& host_key, unsigned most) {
  host_key.empty() ? limits_.set_usual(most) : limits_.set(host_key, most);
  curl_multi_setopt(multi_.get(), CURLMOPT_MAX_HOST_CONNECTIONS, static_cast<long>(limits_.highest()));
  room_ = true;
}

void NetworkThread::Impl::add_new_transfers() {
  if (!std::exchange(room_, false) && new_transfers_.empty()) return;
  std::vector<TransferId> ids = std::exchange(waiting_, {});
  const std::vector<TransferId> fresh = std::exchange(new_transfers_, {});
  ids.insert(ids.end(), fresh.begin(), fresh.end());
  std::stable_partition(ids.begin(), ids.end(), [this](TransferId id) {
    const auto found = transfers_.find(id);
    return found == transfers_.end() || !found->second.patient;
  });
  std::set<std::string> full;  // Who waits for a host keeps those behind it waiting, too.
  for (const TransferId id : ids) add(id, full);
}

void NetworkThread::Impl::add(TransferId id, std::set<std::string>& full) {
  const auto found = transfers_.find(id);
  if (found == transfers_.end()) return;  // Cancelled meanwhile.
  EasyTransfer& transfer = *found->second.transfer;
  if (refusing_) return finish(id, fail(Code::kCancelled, transfer.what() + ": the network is shut down"));
  if (!transfer.prepared()) return finish(id, transfer.prepared());
  const std::string host = transfer.host();
  if (full.contains(host) || !limits_.enter(host)) {
    full.insert(host);
    waiting_.push_back(id);
    if (!found->second.patient && !std::exchange(found->second.asked, true) && host_full_) host_full_(host);
    return;
  }
  if (const CURLMcode code = curl_multi_add_handle(multi_.get(), transfer.easy()); code != CURLM_OK) {
    limits_.leave(host);
    return finish(id, fail(Code::kInternal, transfer.what() + ": " + curl_multi_strerror(code)));
  }
  found->second.added = true;
}

void NetworkThread::Impl::perform() {
  int running = 0;
  performing_ = true;
  const CURLMcode code = curl_multi_perform(multi_.get(), &running);
  performing_ = false;
  if (code != CURLM_OK) spdlog::error("network thread: {}", curl_multi_strerror(code));
  remove_buried();
}

void NetworkThread::Impl::remove_buried() {
  for (const auto& transfer : buried_) curl_multi_remove_handle(multi_.get(), transfer->easy());
  buried_.clear();
}

void NetworkThread::Impl::report_finished() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    EasyTransfer* transfer = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    finish(transfer->id(), transfer->outcome(code));
  }
}

void NetworkThread::Impl::wait() {
  Duration timeout = kLongestWait;
  if (const auto next = timers_.next()) timeout = std::min(timeout, Duration(*next - std::chrono::steady_clock::now()));
  {
    const std::lock_guard lock(mutex_);
    if (!posted_.empty() || stopping_) timeout = Duration::zero();
  }
  if (!new_transfers_.empty() || !resumed_.empty() || room_) timeout = Duration::zero();
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(std::max(timeout, Duration::zero()));
  const CURLMcode code = curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(milliseconds.count()), nullptr);
  if (code != CURLM_OK) {
    spdlog::error("network thread: waiting: {}", curl_multi_strerror(code));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));  // Not to spin.
  }
}

void NetworkThread::Impl::end_everything() {
  // A handler may start or post anew from its on_done; that ends here as well.
  do {
    timers_.clear();
    while (!transfers_.empty()) cancel(transfers_.begin()->first);
    run_posted();
  } while (!transfers_.empty());
  timers_.clear();
}

NetworkThread::NetworkThread(NetworkOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
NetworkThread::~NetworkThread() = default;

void NetworkThread::post(std::function<void()> work) { impl_->post(std::move(work)); }

TransferId NetworkThread::start(const HttpRequest& request, std::unique_ptr<TransferHandler> handler) {
  return impl_->start(request, std::move(handler));
}

void NetworkThread::cancel(TransferId id) { impl_->cancel(id); }

void NetworkThread::limit_connections(const std::string& host_key, unsigned most) {
  impl_->limit_connections(host_key, most);
}

void NetworkThread::on_host_full(std::function<void(const std::string& host_key)> listener) {
  impl_->on_host_full(std::move(listener));
}

void NetworkThread::resume(TransferId id) { impl_->resume(id); }

void NetworkThread::shut_down() {
  impl_->post([impl = impl_.get()] { impl->refuse_new_transfers(); });
}

TimerId NetworkThread::after(Duration delay, std::function<void()> action) {
  return impl_->timers_.add(std::chrono::steady_clock::now() + delay, std::move(action));
}

void NetworkThread::cancel_timer(TimerId id) { impl_->timers_.cancel(id); }

TcpSample NetworkThread::sample(const std::string& host_key) { return impl_->sockets_.sample(host_key); }

std::vector<RequestCount> NetworkThread::requests() const { return impl_->requests_.counts(); }

bool NetworkThread::on_network_thread() const { return impl_->on_network_thread(); }

}  // namespace paceline::net
