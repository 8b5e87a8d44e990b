#pragma once
// A body of media type multipart/byteranges: several ranges of one representation (RFC 9110 §14.6, RFC 2046 §5.1). Says
// what stands around the parts; their bytes are the caller's. Immutable.
#include <string>
#include <vector>

#include "core/http/semantics.hh"

namespace portolan::http {

class ByteRanges {
 public:
  // `content_type` of the representation, or empty; `boundary` is a number that no body can have foreseen.
  ByteRanges(std::vector<ByteRange> ranges, uint64_t size, std::string_view content_type, uint64_t boundary);
  const std::vector<ByteRange>& ranges() const { return ranges_; }
  const std::string& content_type() const { return content_type_; }
  uint64_t length() const { return length_; }  // of the whole body
  std::string head(size_t i) const;            // what stands before the bytes of ranges()[i]
  std::string tail() const;                    // … and behind those of the last

 private:
  std::vector<ByteRange> ranges_;
  uint64_t size_;
  std::string boundary_;
  std::string part_type_;
  std::string content_type_;
  uint64_t length_ = 0;
};

}  // namespace portolan::http
