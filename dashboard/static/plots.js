/*
 * dashboard/static/plots.js
 *    where Plotly was fetched (make plotly): charts that one can move about in
 *
 * The pictures that came with the page stay in it, and stay in sight when
 * anything goes wrong.  Numbers come from the page's own JSON; what others
 * wrote is escaped, since Plotly reads labels as a kind of HTML.
 */
'use strict';

(function () {
	const colours = ['--s0', '--s1', '--s2', '--s3'];
	const dashes = ['solid', 'dash', 'dot', 'dashdot'];

	function escape(text) {
		return String(text).replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
	}

	function colour(name) {
		return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
	}

	/* what the statements call those of no name, in the page's language */
	function word(text) {
		return text === null ? document.body.dataset.unknown : document.body.dataset[text] || text;
	}

	/* seconds since 1970 as text without a zone: Plotly shows it as it stands, and that is UTC */
	function position(kind, value) {
		return kind === 'bars' ? escape(word(value))
			: new Date(Number(value) * 1000).toISOString().slice(0, 19);
	}

	function trace(figure, rows, series, i) {
		const kind = figure.dataset.kind;
		const named = series.split('=');

		return {
			type: kind === 'bars' ? 'bar' : 'scatter',
			mode: kind === 'points' ? 'markers' : 'lines',
			name: named[1],
			x: rows.map(function (row) { return position(kind, row[figure.dataset.x]); }),
			y: rows.map(function (row) { return row[named[0]] === null ? null : Number(row[named[0]]); }),
			marker: { color: colour(colours[i]), size: 4 },
			line: { color: colour(colours[i]), dash: dashes[i], width: 2 }
		};
	}

	/* so many labels of their average length stand beside each other */
	function room(figure, rows) {
		const letters = rows.reduce(function (sum, row) { return sum + String(row[figure.dataset.x]).length; }, 0);

		return Math.max(2, Math.floor((figure.clientWidth - 64) / (7 * letters / rows.length + 8)));
	}

	function axis(title, type) {
		return {
			title: { text: title, font: { size: 12 } }, type: type, gridcolor: colour('--edge'), zerolinecolor: colour('--edge'),
			automargin: true, rangemode: type === '-' ? 'tozero' : 'normal', tickangle: 0, tickformat: type === '-' ? ',' : ''
		};
	}

	function draw(figure, rows) {
		const box = document.createElement('div');
		const bars = figure.dataset.kind === 'bars';
		const series = figure.dataset.y.split(';');
		/* Plotly's buttons are on top, the legend below them in at most two lines, or one for each name on a phone */
		const top = 34 + 19 * (figure.clientWidth < 480 ? Math.max(2, series.length) : 2);

		box.className = 'plot';
		figure.querySelectorAll('.plot').forEach(function (old) { old.remove(); });
		figure.append(box);
		return window.Plotly.newPlot(box, series.map(function (one, i) { return trace(figure, rows, one, i); }), {
			barmode: 'stack', bargap: 0.2, height: 278 + top, showlegend: series.length > 1,
			margin: { l: 56, r: 8, t: top, b: 44 },
			legend: { orientation: 'h', y: 1.02, yanchor: 'bottom', x: 0, traceorder: 'normal' },
			modebar: { bgcolor: 'rgba(0,0,0,0)', color: colour('--soft'), activecolor: colour('--ink') },
			separators: document.documentElement.lang === 'es' ? ',\u202f' : '.,',
			paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)',
			font: { color: colour('--ink'), size: 12, family: getComputedStyle(document.body).fontFamily },
			hoverlabel: { bgcolor: colour('--panel'), bordercolor: colour('--field'), font: { color: colour('--ink') } },
			hovermode: figure.dataset.kind === 'points' ? 'closest' : 'x unified', colorway: colours.map(colour),
			xaxis: Object.assign(axis(figure.dataset.xTitle, bars ? 'category' : 'date'), bars ? { nticks: room(figure, rows) } : {}),
			yaxis: axis(figure.dataset.yTitle, '-')
		}, {
			/* no button that sends the numbers to Plotly's own service */
			showSendToCloud: false, plotlyServerURL: '',
			displaylogo: false, responsive: true, modeBarButtonsToRemove: ['select2d', 'lasso2d', 'autoScale2d'],
			toImageButtonOptions: { format: 'png', filename: figure.dataset.panel, scale: 2 }
		}).then(function () {
			figure.querySelector('svg').style.display = 'none';
			figure.classList.add('plotted');
		});
	}

	function drawAll() {
		const figures = Array.from(document.querySelectorAll('figure[data-panel]'));
		const address = new URL(window.location.href);

		if (!window.Plotly || !figures.length) {
			return;
		}
		address.searchParams.set('format', 'json');
		fetch(address, { cache: 'no-cache' }).then(function (reply) {
			return reply.json();
		}).then(function (page) {
			figures.forEach(function (figure) {
				const rows = page[figure.dataset.panel];

				if (Array.isArray(rows)) {
					draw(figure, rows).catch(function () {});
				}
			});
		}).catch(function () {});
	}

	document.addEventListener('renewed', drawAll);
	window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
	drawAll();
}());
