"""The command ``hopper``: its commands, and how errors reach a person."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import click

from hopper import __version__
from hopper.cli.crash import crashed
from hopper.errors import HopperError

COMMANDS: dict[str, tuple[str, ...]] = {
    "Start": ("init", "import", "demo", "doctor", "config"),
    "Dispatch": ("dispatch", "web", "service", "workers", "scan", "backend"),
    "Runs": ("workflow", "source", "run"),
    "Jobs": ("submit", "status", "jobs", "show", "explain", "logs", "results", "wait", "events"),
    "Change": ("cancel", "requeue", "hold", "release", "priority", "shell"),
    "State": ("db",),
}
"""The commands under their headings. Each is the module of its name in this package."""

_MODULE_OF = {"import": "import_"}


class Commands(click.Group):
    """Loads a command's module only when it is asked for: a start takes no longer than needed."""

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; what nobody foresaw becomes one line and a file with the details."""
        try:
            return super().invoke(ctx)
        except (HopperError, OSError, click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            raise crashed(error, ctx.obj) from error

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        del ctx
        return [name for names in COMMANDS.values() for name in names]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command by its name."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"hopper.cli.{_MODULE_OF.get(cmd_name, cmd_name)}")
        command = module.command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands under their headings."""
        for heading, names in COMMANDS.items():
            rows = []
            for name in names:
                command = self.get_command(ctx, name)
                if command is not None:
                    rows.append((name, command.get_short_help_str(limit=120)))
            with formatter.section(heading):
                formatter.write_dl(rows)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
    epilog="Examples:\n\n\b\n  hopper init\n  hopper dispatch\n  hopper submit job.zip\n"
    "  hopper status --watch\n\n"
    "Your shell completes commands and job ids after\n\n\b\n"
    '  eval "$(_HOPPER_COMPLETE=bash_source hopper)"\n'
    "\nwith zsh_source for zsh; for fish: _HOPPER_COMPLETE=fish_source hopper | source",
)
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The config; else $HOPPER_CONFIG, else ./hopper.yaml.",
)
@click.version_option(__version__, prog_name="hopper")
@click.pass_context
def hopper(ctx: click.Context, config_file: Path | None) -> None:
    """Send jobs to wherever you have machines, watch them, and bring the results home."""
    ctx.obj = config_file
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main() -> None:
    """Run the command line; every error is one line on stderr."""
    try:
        code = hopper.main(standalone_mode=False)
    except click.exceptions.Exit as leaving:
        code = leaving.exit_code
    except click.exceptions.Abort:
        click.echo("aborted", err=True)
        code = 1
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except HopperError as error:
        click.echo(f"hopper: {error}", err=True)
        code = error.exit_code
    except BrokenPipeError:
        # Whoever read our output (head, less) has gone: not an error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except KeyboardInterrupt:
        code = 130
    except OSError as error:
        click.echo(f"hopper: {error}", err=True)
        code = 1
    sys.exit(code if isinstance(code, int) else 0)
