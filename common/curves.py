"""The learning curves of a run, read from TensorBoard's event files, and the picture losses.png drawn from them."""

from common.event_files import event_files, read_events
from common.files import whole_file
from common.images import new_figure


def read_losses(run_dir):
    """The scalars of a run.

    @return: {name: (steps, values)}, two lists of equal length in the order of the steps
    """
    curves = {}
    for path in event_files(run_dir):
        for event in read_events(path)[0]:
            for value in event.summary.value:
                if value.HasField('simple_value'):
                    curves.setdefault(value.tag, []).append((event.step, value.simple_value))
    return {name: tuple(map(list, zip(*sorted(points)))) for name, points in curves.items()}


def plot_losses(run_dir, path, title):
    """Draw the losses of a run into the PNG file `path`."""
    curves = read_losses(run_dir)
    parts = [name for name in curves if name not in ('generator_loss', 'discriminator_loss')]
    fig = new_figure(figsize=(10, 7))
    fig.subplots_adjust(left=0.08, right=0.98, bottom=0.08, top=0.93, hspace=0.06)
    for ax, names in zip(fig.subplots(2, 1, sharex=True), (['discriminator_loss', 'generator_loss'], parts)):
        for name in names:
            if name in curves:
                ax.plot(*curves[name], label=name, linewidth=1)
        ax.set_ylabel('loss (nats)')
        ax.grid(alpha=0.3)
        if ax.lines:
            ax.legend()
    ax.set_xlabel('step')
    fig.suptitle(title)
    with whole_file(path) as unfinished:
        fig.savefig(unfinished, format='png', dpi=100)
