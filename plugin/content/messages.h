// Between our types and containerd's messages. Pure functions; any thread.
#pragma once

#include <google/protobuf/timestamp.pb.h>
#include <grpcpp/support/status.h>

#include "containerd/services/content/v1/content.pb.h"
#include "plugin/base/clock.h"
#include "plugin/base/result.h"
#include "plugin/filter/filter.h"
#include "plugin/store/store.h"

namespace paceline::content {

namespace api = ::containerd::services::content::v1;

/// Codes are the same numbers on both sides.
[[nodiscard]] grpc::Status to_grpc(const Error& error);

void set_time(google::protobuf::Timestamp& out, WallTime time);
void set_info(api::Info& out, const store::BlobInfo& info, const store::Labels& labels);
void set_status(api::Status& out, const store::IngestStatus& status);

/// Labels of a request, checked against containerd's bound on their size.
Result<store::Labels> checked_labels(const google::protobuf::Map<std::string, std::string>& labels);

/// The fields that filters can name: of a blob "digest" and "labels.<key>", of an ingest "ref".
[[nodiscard]] bool matches(const Filter& filter, const store::BlobInfo& info, const store::Labels& labels);
[[nodiscard]] bool matches(const Filter& filter, const store::IngestStatus& status);
Result<Filter> parse_filters(const google::protobuf::RepeatedPtrField<std::string>& filters);

}  // namespace paceline::content
