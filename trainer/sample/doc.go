// Package sample holds what one image means to a training: its label, its group, and the maps that people made for it.
//
// Training, measuring and the cache of features all speak of images by it, so it knows none of them. Where samples come
// from is the caller's: internal/samples makes them of a folder, internal/jobs of a project.
package sample
