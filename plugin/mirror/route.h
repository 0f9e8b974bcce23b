// What a mirror request asks for: the distribution API's pull half, with containerd's ?ns=<registry>.
// Pure functions; any thread. Everything in a Route is validated.
#pragma once

#include <string>
#include <string_view>

#include "plugin/base/result.h"

namespace paceline::mirror {

struct Route {
  enum class Kind {
    kPing,      ///< /v2/
    kManifest,  ///< /v2/<repository>/manifests/<object>
    kBlob,      ///< /v2/<repository>/blobs/<digest>
    kList,      ///< /v2/<repository>/tags/list and …/referrers/<digest>
  };
  Kind kind = Kind::kPing;
  std::string registry;    ///< ?ns=
  std::string repository;  ///< "library/redis"
  std::string object;      ///< kManifest: tag or digest; kBlob: digest.
  std::string path;        ///< Behind the repository and its slash, with the query but ns: for kBlob and kList.
};

/// kNotFound: not a path of the pull API, or no ns; kInvalidArgument: a malformed part, named.
Result<Route> parse_route(std::string_view target);

}  // namespace paceline::mirror
