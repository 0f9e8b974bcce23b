// Between our types and containerd's messages. Pure functions; any thread.
#pragma once

#include <google/protobuf/repeated_ptr_field.h>
#include <grpcpp/support/status.h>

#include <vector>

#include "containerd/services/snapshots/v1/snapshots.pb.h"
#include "plugin/base/result.h"
#include "plugin/snapshots/snapshot.h"

namespace paceline::snapshots {

namespace api = ::containerd::services::snapshots::v1;

/// Codes are the same numbers on both sides.
[[nodiscard]] grpc::Status to_grpc(const Error& error);
[[nodiscard]] grpc::Status to_grpc(const Status& status);

[[nodiscard]] Labels to_labels(const google::protobuf::Map<std::string, std::string>& labels);
void set_info(api::Info& out, const Info& info);
void set_mounts(google::protobuf::RepeatedPtrField<::containerd::types::Mount>& out, const std::vector<Mount>& mounts);

}  // namespace paceline::snapshots
