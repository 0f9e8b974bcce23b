#include "plugin/cli/exit_code.h"

namespace paceline::cli {

Exit exit_for(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::OK:
      return Exit::kOk;
    case grpc::StatusCode::INVALID_ARGUMENT:
      return Exit::kUsage;
    case grpc::StatusCode::UNAVAILABLE:
      return Exit::kUnreachable;
    case grpc::StatusCode::NOT_FOUND:
      return Exit::kNotFound;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return Exit::kTimeout;
    default:
      return Exit::kFailed;
  }
}

Exit exit_for_pull(std::string_view code) { return code == "NOT_FOUND" ? Exit::kNotFound : Exit::kFailed; }

Exit combine(Exit sum, Exit part) {
  if (sum == Exit::kOk || sum == part) return part;
  return part == Exit::kOk ? sum : Exit::kFailed;
}

}  // namespace paceline::cli
