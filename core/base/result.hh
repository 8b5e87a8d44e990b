#pragma once
// Errors by value. The data path never throws; a function that can fail returns Result<T> or Status.
#include <optional>
#include <string>
#include <utility>

namespace portolan {

// What went wrong, in words a person can act on ("cannot bind 0.0.0.0:80: permission denied").
// `code` is an errno value or a protocol status where one applies, else 0.
struct Error {
  std::string text;
  int code = 0;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)
  explicit operator bool() const { return value_.has_value(); }
  bool ok() const { return value_.has_value(); }
  T& operator*() { return *value_; }
  const T& operator*() const { return *value_; }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }
  const Error& error() const { return error_; }

 private:
  std::optional<T> value_;
  Error error_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)
  explicit operator bool() const { return !error_.has_value(); }
  bool ok() const { return !error_.has_value(); }
  const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

// "cannot open /etc/x: No such file or directory" from errno (or the given code).
Error system_error(std::string what, int code);
Error system_error(std::string what);

}  // namespace portolan
