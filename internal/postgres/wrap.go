package postgres

import (
	"fmt"

	"github.com/abn-studio/studio/annotator"
)

// wrap says what err happened to; nil stays nil.
func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}

// changed is wrap for an update of one row that must exist.
func changed(n int64, err error, format string, args ...any) error {
	if err == nil && n == 0 {
		err = annotator.ErrNotFound
	}
	return wrap(err, format, args...)
}
