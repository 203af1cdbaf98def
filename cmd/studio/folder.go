package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// pathVariables are environment variables that name one or more files or folders and are read later than the flags: by ONNX Runtime's
// loader, by the libraries for TLS and S3, and for temporary files.
var pathVariables = []string{
	"TMPDIR", "STUDIO_ORT_LIB", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR",
	"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_CA_BUNDLE",
}

// resolvePaths makes the relative paths of the environment absolute, for a process that is to change its working directory.
func resolvePaths() error {
	for _, name := range pathVariables {
		value := os.Getenv(name)
		if value == "" {
			continue
		}
		parts := strings.Split(value, string(os.PathListSeparator))
		for i, part := range parts {
			if part == "" { // to loaders this means the working directory
				part = "."
			}
			absolute, err := filepath.Abs(part)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			parts[i] = absolute
		}
		if err := os.Setenv(name, strings.Join(parts, string(os.PathListSeparator))); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// enterEmptyFolder makes an empty folder the working directory, so that a relative path in a model or a library leads to no file. Call it
// after all paths that the person who started the process gave are resolved. leave changes back and removes the folder.
func enterEmptyFolder() (leave func() error, err error) {
	dir, err := os.MkdirTemp("", "abn-studio-empty-")
	if err != nil {
		return nil, fmt.Errorf("making an empty folder to work in: %w", err)
	}
	leave = func() error {
		if err := os.Chdir(filepath.Dir(dir)); err != nil {
			return err
		}
		return os.Remove(dir)
	}
	if err := os.Chdir(dir); err != nil {
		return nil, fmt.Errorf("working in an empty folder: %w", err)
	}
	if err := os.Chmod(dir, 0o500); err != nil { // no file can be made in it
		return nil, fmt.Errorf("working in an empty folder: %w", err)
	}
	return leave, nil
}
