#include "plugin/content/messages.h"

#include <chrono>
#include <utility>
#include <vector>

namespace paceline::content {
namespace {

constexpr std::size_t kMaxLabelBytes = 4096;  // containerd's labels.Validate: key and value together.

}  // namespace

grpc::Status to_grpc(const Error& error) { return {static_cast<grpc::StatusCode>(error.code), error.message}; }

void set_time(google::protobuf::Timestamp& out, WallTime time) {
  const auto since_epoch = time.time_since_epoch();
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  out.set_seconds(seconds.count());
  out.set_nanos(static_cast<std::int32_t>(std::chrono::nanoseconds(since_epoch - seconds).count()));
}

void set_info(api::Info& out, const store::BlobInfo& info, const store::Labels& labels) {
  out.set_digest(info.digest.to_string());
  out.set_size(static_cast<std::int64_t>(info.size));
  set_time(*out.mutable_created_at(), info.created);
  set_time(*out.mutable_updated_at(), info.updated);
  out.mutable_labels()->insert(labels.begin(), labels.end());
}

void set_status(api::Status& out, const store::IngestStatus& status) {
  out.set_ref(status.ref);
  out.set_offset(static_cast<std::int64_t>(status.offset));
  out.set_total(static_cast<std::int64_t>(status.total));
  if (status.expected) out.set_expected(status.expected->to_string());
  set_time(*out.mutable_started_at(), status.started);
  set_time(*out.mutable_updated_at(), status.updated);
}

Result<store::Labels> checked_labels(const google::protobuf::Map<std::string, std::string>& labels) {
  for (const auto& [key, value] : labels) {
    if (key.empty()) return fail(Code::kInvalidArgument, "a label has no key");
    if (key.size() + value.size() > kMaxLabelBytes) {
      return fail(Code::kInvalidArgument, "label '" + key.substr(0, 32) + "…': key and value exceed 4096 bytes");
    }
  }
  return store::Labels(labels.begin(), labels.end());
}

bool matches(const Filter& filter, const store::BlobInfo& info, const store::Labels& labels) {
  return filter.matches([&](std::span<const std::string> path) -> std::optional<std::string> {
    if (path.front() == "digest") return info.digest.to_string();
    if (path.front() == "labels") return find_label(labels, path);
    return std::nullopt;
  });
}

bool matches(const Filter& filter, const store::IngestStatus& status) {
  return filter.matches([&](std::span<const std::string> path) -> std::optional<std::string> {
    if (path.front() == "ref") return status.ref;
    return std::nullopt;
  });
}

Result<Filter> parse_filters(const google::protobuf::RepeatedPtrField<std::string>& filters) {
  const std::vector<std::string> texts(filters.begin(), filters.end());
  return Filter::parse(texts);
}

}  // namespace paceline::content
