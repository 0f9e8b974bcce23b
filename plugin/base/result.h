// Errors as values. Every function that can fail returns Result<T>; no exception crosses a module border.
// Thread rule: values, freely copied and moved. Codes map one to one to gRPC's (docs/errors.md).
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace paceline {

/// The numbers are gRPC's status codes (google.rpc.Code), so that the content service needs no table.
enum class Code {
  kCancelled = 1,           ///< The caller went away or asked to stop.
  kUnknown = 2,             ///< Never made by us; a peer's unknown error.
  kInvalidArgument = 3,     ///< The input itself is wrong: reference, digest, config, manifest.
  kDeadlineExceeded = 4,    ///< A time limit passed.
  kNotFound = 5,            ///< No such blob, ingest, image, pull.
  kAlreadyExists = 6,       ///< COMMIT of a digest that is already there.
  kPermissionDenied = 7,    ///< Credentials are valid but do not suffice (HTTP 403).
  kResourceExhausted = 8,   ///< Disk, quota, throttling (HTTP 429).
  kFailedPrecondition = 9,  ///< Size or digest mismatch; state does not allow it.
  kAborted = 10,            ///< Lost a race; try again.
  kOutOfRange = 11,         ///< Wrong offset.
  kUnimplemented = 12,      ///< Deliberately not offered.
  kInternal = 13,           ///< A bug or an operating-system error.
  kUnavailable = 14,        ///< Peer unreachable, or a ref is locked; retrying makes sense.
  kDataLoss = 15,           ///< Stored bytes no longer match their digest.
  kUnauthenticated = 16,    ///< No or wrong credentials (HTTP 401).
};

/// "NOT_FOUND" and so on.
std::string_view code_name(Code code);

struct Error {
  Code code = Code::kInternal;
  std::string message;  ///< Names the thing and the cause, and the mend where one is known. Never holds a secret.

  /// Prefixes the message: "<what>: <message>".
  [[nodiscard]] Error context(std::string_view what) const;
  /// "NOT_FOUND: message".
  [[nodiscard]] std::string to_string() const;
};

template <class T>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

using Status = Result<void>;

/// `return fail(Code::kNotFound, "blob …")` from any function returning a Result.
inline tl::unexpected<Error> fail(Code code, std::string message) {
  return tl::unexpected<Error>(Error{code, std::move(message)});
}
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

/// An Error from errno: "<what>: <strerror>"; ENOSPC/EDQUOT → kResourceExhausted, ENOENT → kNotFound,
/// EACCES/EPERM/EROFS → kPermissionDenied, everything else kInternal.
Error errno_error(int errno_value, std::string_view what);

}  // namespace paceline
