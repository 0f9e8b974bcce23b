#include "plugin/registry/patient_fetch.h"

#include <algorithm>
#include <optional>
#include <random>
#include <thread>

#include "plugin/net/url.h"

namespace paceline::registry {
namespace {

constexpr int kMaxRedirects = 5;

bool worth_retrying(Code code) {
  return code == Code::kUnavailable || code == Code::kDeadlineExceeded || code == Code::kUnknown;
}

Duration jittered(Duration delay) {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::chrono::duration_cast<Duration>(delay * std::uniform_real_distribution<double>(0.5, 1.5)(random));
}

// How long to wait before another try; empty: this answer is final.
std::optional<Duration> delay_after(const Result<net::HttpResponse>& answer, Duration backoff,
                                    const RetryPolicy& policy, const Clock& clock) {
  if (!answer) {
    if (worth_retrying(answer.error().code)) return jittered(backoff);
    return std::nullopt;
  }
  if (answer->status != 429 && answer->status < 500) return std::nullopt;
  if (const auto asked = net::parse_retry_after(answer->headers.get("Retry-After"), clock.wall())) {
    if (*asked > policy.max_retry_after) return std::nullopt;
    return std::max(*asked, jittered(backoff));
  }
  return jittered(backoff);
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

}  // namespace

Result<net::HttpResponse> fetch_patiently(net::NetworkThread& network, const net::HttpRequest& request,
                                          std::size_t body_limit, const RetryPolicy& policy, const Clock& clock) {
  Duration backoff = policy.first_delay;
  for (unsigned attempt = 1;; ++attempt, backoff *= 2) {
    auto answer = network.fetch(request, body_limit);
    if (attempt >= policy.attempts) return answer;
    const auto delay = delay_after(answer, backoff, policy, clock);
    if (!delay) return answer;
    std::this_thread::sleep_for(*delay);
  }
}

Result<FollowedResponse> fetch_following(net::NetworkThread& network, net::HttpRequest request, std::size_t body_limit,
                                         const RetryPolicy& policy, const Clock& clock) {
  FollowedResponse out;
  const std::string first_url = request.url;
  for (int redirects = 0;; ++redirects) {
    auto answer = fetch_patiently(network, request, body_limit, policy, clock);
    if (!answer) return fail(answer.error());
    if (!is_redirect(answer->status)) {
      out.response = std::move(*answer);
      return out;
    }
    if (redirects == kMaxRedirects) {
      return fail(Code::kUnavailable, net::redact(first_url) + " redirects more than five times: a loop?");
    }
    if (answer->headers.get("Location").empty()) {
      return fail(Code::kUnavailable, net::redact(request.url) + " redirects to nowhere: no Location");
    }
    auto next = net::resolve_redirect(request.url, answer->headers.get("Location"));
    if (!next) return fail(next.error());
    if (!net::same_origin(request.url, *next)) {
      net::Headers kept;
      for (const auto accept : request.headers.all("Accept")) kept.add("Accept", std::string(accept));
      request.headers = std::move(kept);
      out.left_origin = true;
    }
    request.url = std::move(*next);
  }
}

}  // namespace paceline::registry
