// Who may want a reader to wait before he gets a blob's bytes: the seam to the unpacking of layers. A Read is the one
// call of a pull that containerd makes with no lock of its own and no transaction open.
// Thread rule: any thread; hold() does not wait.
#pragma once

#include <functional>
#include <string>

#include "plugin/base/digest.h"

namespace paceline::content {

class ReadGate {
 public:
  virtual ~ReadGate() = default;
  /// Told of each read, and answers whether it has to wait: then `go` is called once, on any thread, when it may go on.
  /// `reader` is the namespace of the pull, which containerd names when it pulls by itself (CRI, transfer service) and
  /// not for a client: then it is empty, and the read does not wait, for what the client does next is not known.
  virtual bool hold(const Digest& digest, const std::string& reader, std::function<void()> go) = 0;
};

}  // namespace paceline::content
