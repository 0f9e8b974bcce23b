// From the daemon's values to the messages of paceline.v1. Pure functions, any thread.
#pragma once

#include <grpcpp/support/status.h>

#include "paceline/v1/paceline.pb.h"
#include "plugin/base/result.h"
#include "plugin/pull/pull_manager.h"
#include "plugin/records/record_store.h"
#include "plugin/store/store.h"

namespace paceline::api {

enum class Blobs { kOmit, kInclude };

/// Whether nothing more will happen to a pull in this state.
[[nodiscard]] bool is_over(pull::PullState state);

[[nodiscard]] grpc::Status to_grpc(const Error& error);
[[nodiscard]] v1::Error to_proto(const Error& error);
[[nodiscard]] v1::Pull to_proto(const pull::PullSnapshot& pull, Blobs blobs);
[[nodiscard]] v1::Path to_proto(const pull::PathSnapshot& path);
[[nodiscard]] v1::Blob to_proto(const store::BlobInfo& blob);
[[nodiscard]] v1::Usage to_proto(const store::Usage& usage);

[[nodiscard]] std::int64_t unix_ms(WallTime time);
[[nodiscard]] v1::RecordSummary to_proto(const records::Summary& record);

}  // namespace paceline::api
