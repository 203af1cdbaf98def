// Package trainer teaches an Attention Branch Network where to look.
//
//	L_abn = L_att + L_per                       cross entropies of ŷ_att and ŷ_per
//	L     = L_abn + L_map + L_anchor
//	L_map = γ · (1/|S|) Σ_{i∈S} ‖k_i ⊙ (M′_i − M_i)‖₂ + γ_n · (1/|S|) Σ_{i∈S} (n_i · M_i) / max(1, Σ n_i)
//	        S: the images of the batch that carry an approved edit
//	L_anchor = α · (1/|A|) Σ_{i∈A} ‖M°_i − M_i‖₂    A: those without one; M°: the parent's map (ours, see anchor.go)
//
// (Mitsuhara et al., arXiv 1905.03540; k, n and L_anchor are ours). The norm is the unsquared L2 norm over the h·w cells, with
// 1e-12 under the root. k_i is 1 on the cells that carry a value and n_i on those marked not to be looked at (attention.Marks); where
// nothing is marked, L_map is the paper's. Axes: N batch, C channels, h×w map, K classes.
//
// The settings of a training are internal/recipe's. The packages below, each with its own doc.go, have
//
//	trainer/sample        what an image means to a training
//	trainer/step          the step: what is trained, losses, gradients, as a graph
//	trainer/engine        the interface of what computes steps: trainer/onnxruntime and trainer/gorgonia
//	trainer/refit         the last layer fitted anew
//	trainer/measure       how good a network is
//	trainer/architecture  networks to train from scratch
//
// and this one has
//
//	engines.go      opening the engine that is asked for, or refusing a network before anything is computed
//	network.go      the parent that a training starts from
//	workdir.go      the folder of a run's checkpoints: locking it, taking it over
//	progress.go     Observer: what a run reports while it goes
//	anchor.go       L_anchor's targets: the parent's maps of the images without an edit
//	crop.go         random resized crops of pixels and maps; crop_features.go computes their features epoch by epoch
//	augmented.go    pixels cut, mirrored and moved, for trainings from scratch
//	last_layer.go   the perception branch's last layer, fitted anew at a round's end (trainer/refit)
//	export.go       the trained file: its parent with other initializers
//	features.go     the features of samples; computing and keeping them is internal/features's
//	loop.go         epochs, checkpoints, cancellation; order.go, schedule.go, learning_rate.go
//	early_stopping.go  the best epoch by validation images; divergence.go  when a run has diverged; curve.go
//	checkpoint.go   a run's state by parameter name; checkpoint_files.go  written atomically, the last two and the best
//	round.go        what a round needs and makes; round_run.go its course: the parent (round_parent.go), then candidate, control and other
//	                arms (round_arms.go) on which images (round_images.go), their maps (round_maps.go, kept_maps.go), the gain from people's maps
//	                (round_verdict.go) and the files (round_export.go); scratch.go trains a whole network
//	shuffled.go     edited maps on other images; edited_in_place.go  and in place of the parent's own, without any training
//	forecast.go     the parent's answers with edited, other and flat maps in place, before any training
//	inspect.go      what each engine can train of an ABN, and which nodes prevent the rest
//	frozen.go       training from images and labels with a frozen extractor
package trainer
