// Package sample has the data of one image in a training: its label, its group, and the maps that people made for it.
//
// Training, measuring and the cache of features all use it, so it imports none of them. internal/samples makes samples of a
// folder, internal/jobs of a project.
package sample
