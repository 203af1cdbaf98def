package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/abn-studio/studio/internal/ort"
)

// providerFlags choose the execution provider of ONNX Runtime. Every command has them.
type providerFlags struct {
	Provider         string `help:"What ONNX Runtime computes on: ${providers}. A device's number or options follow a colon: cuda:1, cuda:device_id=1,use_tf32=1." env:"STUDIO_PROVIDER" default:"cpu" placeholder:"NAME"`
	ProviderFallback bool   `help:"Go on with the CPU where the provider cannot be used, instead of stopping." env:"STUDIO_PROVIDER_FALLBACK"`
}

// providerNames fills in the help.
func providerNames() string { return strings.Join(ort.ProviderNames(), ", ") }

// choose passes the choice to package ort, which tries the provider when the runtime is first needed.
func (f providerFlags) choose(streams *stdio) error {
	p, err := ort.ParseProvider(f.Provider)
	if err != nil {
		return fmt.Errorf("--provider: %w", err)
	}
	for key, value := range p.Options { // make paths absolute: servers and workers change their working directory
		if strings.HasSuffix(key, "_path") || strings.HasSuffix(key, "_dir") {
			if p.Options[key], err = filepath.Abs(value); err != nil {
				return fmt.Errorf("--provider: %w", err)
			}
		}
	}
	var fallback func(error)
	if f.ProviderFallback {
		fallback = func(why error) { fmt.Fprintf(streams.Err, "studio: computing on the CPU instead of %v\n", why) }
	}
	ort.Use(p, fallback)
	return nil
}
