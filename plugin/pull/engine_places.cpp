// TransferEngine: where a blob is. Asking the registry client, following redirects, renewing rights, going on to the
// next endpoint or the next pull's repository.
#include <algorithm>

#include "plugin/base/log.h"
#include "plugin/net/url.h"
#include "plugin/pull/engine.h"

namespace paceline::pull {
namespace {

// More redirects and renewals in a row, without a byte between them, are a loop.
constexpr unsigned kMaxRelocations = 8;

std::vector<adaptive::Interval> present_intervals(const store::FetchFile& file) {
  std::vector<adaptive::Interval> present;
  std::uint64_t at = 0;
  for (const auto& hole : file.missing()) {
    if (hole.first > at) present.push_back({at, hole.first});
    at = hole.end;
  }
  if (at < file.size()) present.push_back({at, file.size()});
  return present;
}

}  // namespace

/// What a locator found out about one blob.
struct TransferEngine::Found {
  Blob blob;
  Result<std::shared_ptr<store::FetchFile>> file;  ///< Null when it was open already.
  Result<net::HttpRequest> request;
};

void TransferEngine::locate(const std::vector<Blob>& blobs) {
  // Copied here: the locator must not look at state that belongs to the network thread.
  struct Order {
    Blob blob;
    Digest digest;
    std::uint64_t size;
    store::Purpose purpose;
    bool open_file;
    std::shared_ptr<registry::Repository> repository;
    std::size_t endpoint;
  };
  std::vector<Order> orders;
  for (const Blob& blob : blobs) {
    blob->stage = BlobFetch::Stage::kLocating;
    orders.push_back({blob, blob->digest, blob->size, blob->purpose, blob->file == nullptr, blob->sources[blob->source],
                      blob->endpoint});
  }
  locators_.post([this, orders = std::move(orders)] {
    std::vector<Found> found;
    for (const Order& order : orders) {
      Result<std::shared_ptr<store::FetchFile>> file = std::shared_ptr<store::FetchFile>();
      if (order.open_file) {
        auto opened = store_.begin_fetch(order.digest, order.size, order.purpose);
        if (opened) {
          file = std::shared_ptr<store::FetchFile>(std::move(*opened));
        } else {
          file = fail(opened.error());
        }
      }
      Result<net::HttpRequest> request = file ? order.repository->blob_request(order.digest, order.endpoint)
                                              : Result<net::HttpRequest>(net::HttpRequest{});
      found.push_back({order.blob, std::move(file), std::move(request)});
    }
    post([this, found = std::move(found)]() mutable { located(std::move(found)); });
  });
}

void TransferEngine::located(std::vector<Found> found) {
  std::set<Path*> woken;
  for (Found& item : found) {
    const Blob& blob = item.blob;
    blob->stage = BlobFetch::Stage::kFetching;
    if (item.file && *item.file != nullptr) {
      blob->file = std::move(*item.file);
      blob->counters->resumed = blob->file->resumed_bytes();
      blob->counters->received = blob->file->resumed_bytes();
    }
    if (blob->failed) {  // Given up while the locator worked.
      if (!blob->hashing) land(blob, fail(*blob->failed));
    } else if (!item.file) {
      land(blob, item.file.error().code == Code::kAlreadyExists ? Status{} : fail(item.file.error()));
    } else if (!item.request) {
      next_place(blob, item.request.error());
    } else {
      place(blob, std::move(*item.request));
      if (blob->path != nullptr) woken.insert(blob->path);
    }
  }
  // Woken last: the first choice of n should know all that is to be fetched.
  for (Path* path : woken) wake(*path);
}

void TransferEngine::place(const Blob& blob, net::HttpRequest request) {
  const auto host = net::host_key(request.url);
  if (!host) {
    abandon(blob, host.error());
    return;
  }
  blob->request = std::move(request);
  if (blob->counters->located == 0) blob->counters->located = clock_.now().time_since_epoch().count();
  Path& path = open_path(*host, blob->sources[blob->source]->registry(), blob->owner);
  auto& planner = path.open_planner(blob->owner, foreground_.contains(blob->owner));
  planner.add(blob->layer, blob->size, present_intervals(*blob->file));
  if (!path.ranges()) planner.set_single_stream(blob->layer);
  blob->path = &path;
  remember_origin(*blob);
  pump_hash(blob);  // A resumed or empty blob may have all its bytes.
}

void TransferEngine::unplace(const Blob& blob) {
  Path* path = std::exchange(blob->path, nullptr);
  if (path == nullptr) return;
  cancel_streams(blob);
  if (auto* planner = path->planner(blob->owner)) planner->remove(blob->layer);
  path->close_if_done(blob->owner);
}

void TransferEngine::relocate(const Blob& blob, const Error& why) {
  unplace(blob);
  blob->redirected = false;
  if (++blob->relocations > kMaxRelocations) {
    next_place(blob, why);
  } else {
    locate({blob});
  }
}

void TransferEngine::redirect(const Blob& blob, const std::string& location) {
  const std::string from = blob->request.url;
  auto target = net::resolve_redirect(from, location);
  if (!target) {
    next_place(blob, target.error());
    return;
  }
  if (++blob->relocations > kMaxRelocations) {
    next_place(blob, Error{Code::kUnavailable, "too many redirects, the last from " + net::redact(from)});
    return;
  }
  unplace(blob);
  net::HttpRequest request = blob->request;
  request.url = std::move(*target);
  if (!net::same_origin(from, request.url)) {
    // The credentials, private headers and trust settings were for the registry, not for where it sends us.
    request.headers.clear();
    request.tls = {};
  }
  blob->redirected = true;
  place(blob, std::move(request));
  if (blob->path != nullptr) wake(*blob->path);
}

void TransferEngine::renew_rights(const Blob& blob, const std::string& challenge) {
  unplace(blob);
  if (++blob->relocations > kMaxRelocations) {
    next_place(blob, Error{Code::kUnauthenticated, "the registry refuses every new token"});
    return;
  }
  blob->stage = BlobFetch::Stage::kLocating;
  locators_.post([this, blob, repository = blob->sources[blob->source], endpoint = blob->endpoint, challenge,
                  rejected = std::string(blob->request.headers.get("Authorization")), digest = blob->digest] {
    const Status renewed = repository->reauthorize(endpoint, challenge, rejected);
    auto request =
        renewed ? repository->blob_request(digest, endpoint) : Result<net::HttpRequest>(fail(renewed.error()));
    post([this, blob, request = std::move(request)]() mutable {
      std::vector<Found> found;
      found.push_back({blob, std::shared_ptr<store::FetchFile>(), std::move(request)});
      located(std::move(found));
    });
  });
}

void TransferEngine::next_place(const Blob& blob, const Error& why) {
  unplace(blob);
  spdlog::debug("blob {}: {}; trying the next place", blob->digest.short_hex(), why.message);
  blob->redirected = false;
  blob->failures = blob->relocations = blob->throttles = 0;
  if (blob->endpoint + 1 < blob->sources[blob->source]->endpoints()) {
    ++blob->endpoint;
  } else if (blob->source + 1 < blob->sources.size()) {
    ++blob->source;
    blob->endpoint = 0;
  } else {
    const auto& repository = *blob->sources[blob->source];
    abandon(blob, why.context("blob " + blob->digest.to_string() + " of " + repository.registry() + "/" +
                              repository.repository()));
    return;
  }
  locate({blob});
}

}  // namespace paceline::pull
