#include "plugin/snapshots/messages.h"

#include <google/protobuf/util/time_util.h>

namespace paceline::snapshots {
namespace {

google::protobuf::Timestamp to_timestamp(WallTime time) {
  return google::protobuf::util::TimeUtil::NanosecondsToTimestamp(
      std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count());
}

}  // namespace

grpc::Status to_grpc(const Error& error) { return {static_cast<grpc::StatusCode>(error.code), error.message}; }

grpc::Status to_grpc(const Status& status) { return status ? grpc::Status::OK : to_grpc(status.error()); }

Labels to_labels(const google::protobuf::Map<std::string, std::string>& labels) {
  return {labels.begin(), labels.end()};
}

void set_info(api::Info& out, const Info& info) {
  out.set_name(info.name);
  out.set_parent(info.parent);
  out.set_kind(static_cast<api::Kind>(info.kind));
  *out.mutable_created_at() = to_timestamp(info.created);
  *out.mutable_updated_at() = to_timestamp(info.updated);
  out.mutable_labels()->insert(info.labels.begin(), info.labels.end());
}

void set_mounts(google::protobuf::RepeatedPtrField<::containerd::types::Mount>& out, const std::vector<Mount>& mounts) {
  for (const auto& mount : mounts) {
    auto& added = *out.Add();
    added.set_type(mount.type);
    added.set_source(mount.source);
    for (const auto& option : mount.options) added.add_options(option);
  }
}

}  // namespace paceline::snapshots
